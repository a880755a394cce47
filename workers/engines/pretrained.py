"""Loading of a model's folder or hub id, for the engines that run transformers in their own process."""

from typing import Any

import torch

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec


def load_pretrained(spec: ModelSpec, source: str, auto_class: Any, device: str, **settings: Any) -> tuple[Any, Any]:
    """Return the model, ready to run on ``device``, and its tokenizer. Safetensors only: other formats can run code.

    ``auto_class``: the library's class that finds the model's class. ``settings``: more arguments for it. ``device``:
    torch's name, or "auto".

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
        model = auto_class.from_pretrained(source, dtype=dtype, use_safetensors=True, **common, **settings)
        return model.to(_device(device)).eval(), tokenizer
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise ModelSourceError(
            f"Model {spec.id!r}: {source!r} cannot be loaded ({type(error).__name__}: {error}). "
            "Expected a folder, or a hub id, with safetensors weights, config.json and a tokenizer."
        ) from error


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
