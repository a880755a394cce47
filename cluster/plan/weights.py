"""The bytes of a model's weights in the precision that its engine loads them in, from the headers of their files.

In: a model of the spec. Out: bytes, or None if they are not known: on a server, or on the hub. Reads headers, never
weights. Layout of the header: https://huggingface.co/docs/safetensors (8 bytes of length, then JSON).
"""

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from cotfaith.cluster.plan.models import remote_folder
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.organisms.folder import resolve_source

_FLOATS = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2}
"""Stored floats, which are loaded in the model's dtype; others are loaded as they are."""
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_LENGTH = 8
_MOST = 100_000_000
"""The longest header that safetensors accepts, in bytes."""


def weights_bytes(model: ResolvedModel) -> int | None:
    """Return the bytes of all weights once they are loaded, or None."""
    if not model.kind.has_weights or model.kind.served_model is not None:
        return None
    size = _BYTES.get(model.spec.dtype)
    headers = list(_headers(model))
    if not headers or any(header is None for header in headers):
        return None
    tensors = [one for header in headers for name, one in (header or {}).items() if name != "__metadata__"]
    try:
        return sum(_loaded(tensor, size) for tensor in tensors)
    except (KeyError, TypeError, ValueError):  # not a header of safetensors: the engine says so
        return None


def _loaded(tensor: dict[str, Any], size: int | None) -> int:
    begin, end = tensor["data_offsets"]
    own = _FLOATS.get(tensor["dtype"])
    return int(prod(tensor["shape"]) * size) if own and size else int(end - begin)


def _headers(model: ResolvedModel) -> Iterator[dict[str, Any] | None]:
    remote = remote_folder(model.spec)
    if remote is not None:
        for one in remote.weights:
            yield _header(remote.read(one, 0, _LENGTH), lambda n, one=one: remote.read(one, _LENGTH, n))
        return
    for path in sorted(Path(resolve_source(model.spec.source)).expanduser().glob("*.safetensors")):
        with path.open("rb") as file:
            yield _header(file.read(_LENGTH), file.read)


def _header(start: bytes, read: Any) -> dict[str, Any] | None:
    length = int.from_bytes(start, "little")
    if len(start) < _LENGTH or not 0 < length <= _MOST:
        return None
    try:
        found = json.loads(read(length))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
