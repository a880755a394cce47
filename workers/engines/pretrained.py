"""Loading of a model's folder or hub id, for the engines that run transformers in their own process.

On the CPU, weights in the files' own precision are not read into memory but mapped: all engines of a machine share the
system's one copy of the files. ``float32_copy`` gives that to weights that have to be converted.
"""

import json
from pathlib import Path
from typing import Any

import torch

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.float32_copy import DESCRIPTION, float32_copy, needs_copy
from cotfaith.workers.engines.threads import torch_device


def load_pretrained(
    spec: ModelSpec, source: str, auto_class: Any, device: str, shared: bool = False, **settings: Any
) -> tuple[Any, Any]:
    """Return the model, ready to run on ``device``, and its tokenizer. Safetensors only: other formats can run code.

    ``auto_class``: the library's class that finds the model's class. ``settings``: more arguments for it. ``device``:
    torch's name, or "auto". ``shared``: weights that float32 needs converted come from the node's copy.

    Raises:
        ModelSourceError: there is no model at ``source``, or it cannot be loaded.

    """
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # it would fill an actor's logs
    common = {"revision": spec.revision, "trust_remote_code": spec.trust_remote_code}
    dtype = getattr(torch, spec.dtype)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **common)
        weights = _shared_source(source, spec.revision) if shared and dtype == torch.float32 else source
        model = auto_class.from_pretrained(weights, dtype=dtype, use_safetensors=True, **common, **settings)
        return model.to(torch_device(device)).eval(), tokenizer
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise ModelSourceError(
            f"Model {spec.id!r}: {source!r} cannot be loaded ({type(error).__name__}: {error}). "
            "Expected a folder, or a hub id, with safetensors weights, config.json and a tokenizer."
        ) from error


def _shared_source(source: str, revision: str | None) -> str:
    """Return the folder with the node's float32 copy of a model; ``source`` if that is float32 already."""
    files = _weights(source, revision)
    return str(float32_copy(files)) if needs_copy(files) else source


def _weights(source: str, revision: str | None) -> list[Path]:
    """Return a model's safetensors files, here or in the hub's cache; raises the library's errors."""
    from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME
    from transformers.utils.hub import cached_file

    def found(name: str) -> Path:
        return Path(str(cached_file(source, name, revision=revision)))

    for name in DESCRIPTION:  # from the hub, they come to lie beside the weights
        cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    try:
        return [found(SAFE_WEIGHTS_NAME)]
    except OSError:  # several files, or none
        index = json.loads(found(SAFE_WEIGHTS_INDEX_NAME).read_text(encoding="utf-8"))
        return [found(name) for name in sorted(set(index["weight_map"].values()))]
