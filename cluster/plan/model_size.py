"""The size of a model, from its files: no weights are read.

In: a model with weights. Out: its parameters and layers; None if its files do not say. A folder's safetensors headers
are read, the hub is asked for them, and in object storage the files' sizes and the configuration's precision decide.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotfaith.cluster.plan.dtypes import own_precision
from cotfaith.cluster.plan.models import model_config
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.organisms.folder import resolve_source
from cotfaith.workers.remote.model_folder import model_folder

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of one weight."""
_MOST = 100_000_000
"""The most bytes of a header, which is the format's own limit."""


@dataclass(frozen=True)
class Size:
    """How large a model is."""

    parameters: int
    layers: int


def parameters(model: ModelSpec) -> int | None:
    """Return the model's number of parameters; None if it cannot be told."""
    return _parameters(model, model_config(model)) or None


def model_size(model: ModelSpec) -> Size | None:
    """Return the model's size; None if it cannot be told."""
    config = model_config(model)
    inner: Any = getattr(config, "text_config", config)
    layers = getattr(inner, "num_hidden_layers", None)
    parameters = _parameters(model, config)
    return Size(parameters, layers) if parameters and isinstance(layers, int) and layers > 0 else None


def _parameters(model: ModelSpec, config: Any) -> int:
    folder = Path(resolve_source(model.source)).expanduser()
    if folder.is_dir():
        return sum(map(_in_header, folder.glob("*.safetensors")))
    remote = model_folder(model.source, f"models.{model.id}.source", model.revision)
    if remote is not None:
        return sum(one.size for one in remote.weights) // BYTES.get(own_precision(config), 2)
    return _on_the_hub(model)


def _in_header(file: Path) -> int:
    """Return the parameters that a safetensors file's header names; 0 if it has none that can be read."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(length)) if length <= _MOST else {}
        return _count(entry["shape"] for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


def _count(shapes: Iterable[list[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _on_the_hub(model: ModelSpec) -> int:
    from huggingface_hub import get_safetensors_metadata

    try:
        return sum(get_safetensors_metadata(model.source, revision=model.revision).parameter_count.values())
    except Exception:  # the hub is out of reach, or the model has other files: then its size is not known
        return 0
