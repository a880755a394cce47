"""The node's cache: a folder of files that is there whole or not at all.

``$COTFAITH_CACHE``, or ~/.cache/cotfaith. A folder is filled under a lock, so of several processes that want it one
downloads; the lock of a process that dies frees itself. Files go to ``NAME.part`` first, which becomes ``NAME`` when
each is complete, flushed to disk and listed with its size and SHA-256 in ``.cotfaith.json``. What a dead process
completed is kept. A folder whose files no longer have their sizes is filled again. Nothing is ever deleted for space.
"""

import fcntl
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.variables import CACHE
from cotfaith.workers.remote.checksums import Sums, is_md5, sums_of
from cotfaith.workers.remote.s3_objects import RemoteObject

MANIFEST = ".cotfaith.json"
_HALF = ".half"
Download = Callable[[RemoteObject, Path], Sums]
"""(object, target) -> the checksums of the target, which is complete and checked."""


def cache_root() -> Path:
    """Return the cache's folder, which need not exist."""
    return Path(os.environ.get(CACHE) or "~/.cache/cotfaith").expanduser()


def is_whole(folder: Path) -> bool:
    """Return whether the folder has all the files that its manifest lists, in their sizes."""
    return not _damage(folder)


def filled(folder: Path, objects: Sequence[RemoteObject], download: Download, about: dict[str, Any]) -> Path:
    """Return ``folder`` with all of ``objects`` in it; what is missing is downloaded. ``about`` goes to the manifest.

    Raises:
        SpecError: the cache cannot be written, or has no room; what ``download`` raises is passed on.

    """
    if is_whole(folder):
        return folder
    with _writable(folder), _locked(folder):
        if not is_whole(folder):  # another process may have filled it meanwhile
            _fill(folder, objects, download, about)
    return folder


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole: under another name first, which no other process uses.

    Raises:
        SpecError: the cache cannot be written.

    """
    half = path.with_name(f"{path.name}.{os.getpid()}{_HALF}")
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(data)
        _flush(half)
        half.replace(path)


@contextmanager
def _writable(place: Path) -> Iterator[None]:
    """Turn errors of the disk into ours."""
    try:
        yield
    except OSError as error:
        raise SpecError(
            f"{place}: the cache cannot be written: {error.strerror or error}. Fix that, or set {CACHE} to another "
            "folder."
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system frees it if this process dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fill(folder: Path, objects: Sequence[RemoteObject], download: Download, about: dict[str, Any]) -> None:
    part = folder.with_name(f"{folder.name}.part")
    if folder.exists():
        warnings.warn(f"{folder}: {_damage(folder)}. It is downloaded again.", stacklevel=4)
        shutil.rmtree(part, ignore_errors=True)
        folder.rename(part)
    part.mkdir(exist_ok=True)
    sums = _complete(part, objects)
    missing = [one for one in objects if one.name not in sums]
    _check_room(part, sum(one.size for one in missing))
    sums |= {one.name: _fetch(part, one, download) for one in missing}
    files = {one.name: {"etag": one.etag} | asdict(sums[one.name]) for one in objects}
    write_file(part / MANIFEST, json.dumps(about | {"files": files}, indent=2).encode())
    part.rename(folder)
    _flush(folder.parent)


def _complete(part: Path, objects: Sequence[RemoteObject]) -> dict[str, Sums]:
    """Return the checksums of the files that are there already and complete; remove files that are not listed."""
    listed, names = _listed(part), {one.name for one in objects}
    for path in part.rglob("*"):
        if path.is_file() and path.relative_to(part).as_posix() not in names:
            path.unlink()
    found = {}
    for one in objects:
        path = part / one.name
        if not path.is_file():
            continue
        sums, known = sums_of(path), listed.get(one.name, {}).get("sha256")
        wanted = known == sums.sha256 if known else not is_md5(one.etag) or one.etag == sums.md5
        if sums.size == one.size and wanted:
            found[one.name] = sums
    return found


def _fetch(part: Path, one: RemoteObject, download: Download) -> Sums:
    path, half = part / one.name, part / f"{one.name}{_HALF}"
    path.parent.mkdir(parents=True, exist_ok=True)
    sums = download(one, half)
    _flush(half)
    half.rename(path)
    return sums


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise SpecError(
            f"{folder}: {size / 2**30:.2f} GiB are to be downloaded and {free / 2**30:.2f} GiB are free. Make room, or "
            f"set {CACHE} to a folder on another disk."
        )


def _damage(folder: Path) -> str:
    """Say what is wrong with the folder; "" if nothing is."""
    listed = _listed(folder)
    if not listed:
        return "it has no list of its files"
    for name, known in listed.items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != known["size"]:
            return f"{name} has {'gone' if size is None else f'{size:,} bytes'}, expected {known['size']:,} bytes"
    return ""


def _listed(folder: Path) -> dict[str, Any]:
    try:
        files: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files


def _flush(path: Path) -> None:
    """Wait until the file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
