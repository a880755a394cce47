"""A float32 copy of a model's folder in the node's cache, for engines that share the machine's memory.

torch maps safetensors files into memory: engines that compute in the precision of their files share one copy of the
weights, the one that the system keeps of the files. Weights of another precision are converted when they load, and
each engine holds a result of its own. Here the files are converted once a node, and all engines map what was written.
The numbers are the same: every bfloat16 and float16 number is a float32 number.

In: a model's safetensors files. Out: a folder that loads as the model does. Knows nothing about torch.
"""

import hashlib
import json
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cotfaith.workers.remote.cache import cache_root, filled
from cotfaith.workers.remote.checksums import Sums, sums_of
from cotfaith.workers.remote.s3_objects import RemoteObject

NARROW = {"F16": "<f2", "BF16": "<u2"}
"""Safetensors' names of what is converted -> numpy's; a bfloat16 number is the upper half of a float32 number."""
PART = 2**24
"""The numbers that are converted at once."""
DESCRIPTION = ("config.json", "generation_config.json", "model.safetensors.index.json")


@dataclass(frozen=True)
class _Tensor:
    name: str
    dtype: str
    shape: Sequence[int]
    start: int
    stop: int
    """Bytes of the file."""

    @property
    def is_narrow(self) -> bool:
        return self.dtype in NARROW

    @property
    def new_size(self) -> int:
        """Bytes in the copy."""
        return (self.stop - self.start) * (2 if self.is_narrow else 1)


def needs_copy(weights: Sequence[Path]) -> bool:
    """Return whether any of the files has weights that would be converted."""
    return any(one.is_narrow for path in weights for one in _read_header(path)[0])


def float32_copy(weights: Sequence[Path]) -> Path:
    """Return the folder with the copy of these files, and of the model's description beside them.

    The first process of a node makes it. Other files, or changed ones, are another folder; none is ever deleted.

    Raises:
        SpecError: the cache cannot be written, or has no room.

    """
    beside = [path for name in DESCRIPTION if (path := weights[0].parent / name).is_file()]
    origin = {path.name: path for path in (*weights, *beside)}
    objects = [RemoteObject(path.name, str(path), _new_size(path), etag="") for path in origin.values()]
    about = {"copy_of": str(weights[0].parent), "dtype": "float32"}
    return filled(cache_root() / "float32" / _digest(list(origin.values())), objects, _write_copy, about)


def _digest(files: Sequence[Path]) -> str:
    rows = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()[:32]


def _write_copy(one: RemoteObject, target: Path) -> Sums:
    source = Path(one.key)
    if source.suffix == ".safetensors":
        _widen(source, target)
    else:
        shutil.copyfile(source, target)
    return sums_of(target)


def _new_size(path: Path) -> int:
    if path.suffix != ".safetensors":
        return path.stat().st_size
    tensors, about = _read_header(path)
    return len(_new_header(tensors, about)) + sum(one.new_size for one in tensors)


def _widen(source: Path, target: Path) -> None:
    tensors, about = _read_header(source)
    with source.open("rb") as old, target.open("wb") as new:
        new.write(_new_header(tensors, about))
        for one in tensors:
            old.seek(one.start)
            for part in _parts(old, one):
                new.write(part)


def _parts(file: BinaryIO, one: _Tensor) -> Iterator[bytes]:
    """Yield a tensor's bytes in the copy."""
    left = one.stop - one.start
    while left:
        data = file.read(min(left, 2 * PART))
        if not data:
            raise OSError(f"{file.name} ends within its tensor {one.name}")
        left -= len(data)
        yield _wide(data, one.dtype) if one.is_narrow else data


def _wide(data: bytes, dtype: str) -> bytes:
    numbers = np.frombuffer(data, NARROW[dtype])
    wide = numbers.astype("<f4") if dtype == "F16" else numbers.astype("<u4") << 16
    return wide.tobytes()


def _read_header(path: Path) -> tuple[list[_Tensor], dict[str, Any]]:
    """Return the tensors in their order in the copy, and the file's remarks.

    The largest kinds of number come first, so that each tensor begins where its kind of number may begin.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    about = header.pop("__metadata__", {})
    tensors = [
        _Tensor(name, told["dtype"], told["shape"], *(8 + length + offset for offset in told["data_offsets"]))
        for name, told in header.items()
    ]
    return sorted(tensors, key=lambda one: (-_bytes_each(one), one.start)), about


def _bytes_each(one: _Tensor) -> int:
    count = int(np.prod(one.shape, dtype=np.int64))
    return one.new_size // count if count else 0


def _new_header(tensors: Sequence[_Tensor], about: dict[str, Any]) -> bytes:
    header: dict[str, Any] = {"__metadata__": about} if about else {}
    begin = 0
    for one in tensors:
        dtype = "F32" if one.is_narrow else one.dtype
        header[one.name] = {"dtype": dtype, "shape": one.shape, "data_offsets": [begin, begin + one.new_size]}
        begin += one.new_size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
