"""A run's storage in a folder, behind the protocol of ``store.py``.

Writes go to a temporary file first (``.tmp-...``) and are flushed to disk, so that a crash or a full disk leaves no
half object. Tags are the SHA-256 of the content. Writes that replace or remove an object lock its folder, so that a
conditional replace sees all of them, from every process, and from every machine whose file system shares locks.
"""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from cotfaith.cluster.storage.limits import check_key, check_size
from cotfaith.schemas.errors import StoreError

_TEMPORARY = ".tmp-"
_CLOCK_NS = 2 * 10**9
"""How coarse a file system's times may be: two changes within it can leave a folder with one time."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalStore:
    """A folder; it need not exist before the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes) -> None:
        """Write or replace ``key``."""
        with self._aside(key, data) as temporary, _locked(temporary.parent):
            temporary.replace(self._path(key))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write ``key`` unless it exists: a hard link fails, atomically, if the name is taken."""
        with self._aside(key, data) as temporary:
            try:
                os.link(temporary, self._path(key))
            except FileExistsError:
                self._check_is_file(key)
                return False
        return True

    def put_if_unchanged(self, key: str, data: bytes, tag: str) -> bool:
        """Replace the object that ``get_tagged`` returned with ``tag``; return False if it changed or is gone."""
        if self.get(key) is None:
            return False
        with self._aside(key, data) as temporary, _locked(temporary.parent, needed=True):
            found = self.get_tagged(key)
            if found is None or found[1] != tag:
                return False
            temporary.replace(self._path(key))
        return True

    def get(self, key: str) -> bytes | None:
        """Return the object, or None if there is none; raise ``StoreError`` if it is larger than 2 GiB."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                check_size(self.place(key), os.fstat(file.fileno()).st_size)
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{path}: this cannot be read: {error.strerror}. Fix that.") from error

    def get_tagged(self, key: str) -> tuple[bytes, str] | None:
        """Return the object and its SHA-256, or None if there is none."""
        data = self.get(key)
        return None if data is None else (data, sha256(data).hexdigest())

    def get_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the objects in the order of ``keys``."""
        return map(self.get, keys)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, in order, without temporary files."""
        folder = self._path(prefix) if prefix.endswith("/") or not prefix else self._path(prefix).parent
        found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(_TEMPORARY))
        yield from sorted(key for p in found if (key := p.relative_to(self.root).as_posix()).startswith(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders right below ``prefix``, in order."""
        with _entries(self._path(prefix)) as found:
            yield from sorted(entry.name for entry in found if entry.is_dir())

    def tagged_folders(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """Yield the name and tag of each folder right below ``prefix``, in any order; no file in them is looked at."""
        now_ns = self._now_ns()
        with _entries(self._path(prefix)) as found:
            for entry in found:
                if entry.is_dir():
                    yield entry.name, _tag(entry.stat(), now_ns)

    def folder_tag(self, prefix: str) -> tuple[str | None, tuple[str, ...]]:
        """Return the tag of a folder, taken before its objects were listed, and their names in order."""
        folder = self._path(prefix)
        try:
            now_ns = self._now_ns()  # before the folder is looked at
            tag = _tag(folder.stat(), now_ns)
            with _entries(folder) as found:
                return tag, tuple(sorted(one.name for one in found if not one.name.startswith(_TEMPORARY)))
        except FileNotFoundError:
            return None, ()

    def _now_ns(self) -> int:
        """Return the present time by the file system's clock; by this machine's, where nothing can be written."""
        try:
            with tempfile.TemporaryFile(prefix=_TEMPORARY, dir=self.root) as file:
                return os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return time.time_ns()

    def delete(self, key: str) -> None:
        """Remove the object; none is no error. Its folder stays."""
        path = self._path(key)
        if not path.is_file():
            return
        try:
            with _locked(path.parent):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: this cannot be deleted: {error.strerror}. Fix that.") from error

    def place(self, key: str) -> str:
        """Return the object's path, for messages."""
        return str(self.root / key)

    def _path(self, key: str) -> Path:
        """Return the path of a key, or of what keys begin with; raise ``RunFolderError`` if it is outside."""
        check_key(key)
        return self.root / key

    def _check_is_file(self, key: str) -> None:
        if not self._path(key).is_file():
            raise StoreError(
                f"{self._path(key)}: something other than a file has this name, such as a folder or a broken link. "
                "Move it away."
            )

    @contextmanager
    def _aside(self, key: str, data: bytes) -> Iterator[Path]:
        """Yield a flushed temporary file beside ``key``, which is removed afterwards unless it was moved."""
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
            try:
                _fill(handle, data)
                yield Path(name)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise _cannot_write(target, error) from error


@contextmanager
def _entries(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Yield what is in a folder; nothing if there is none."""
    try:
        found = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        yield iter(())
        return
    except OSError as error:
        raise StoreError(f"{folder}: this cannot be listed: {error.strerror}. Fix that.") from error
    with found:
        yield found


def _tag(about: os.stat_result, now_ns: int) -> str | None:
    """Return a folder's tag: its change time, which nobody can set, and its number on the disk.

    None: it changed so recently that a further change might not show.
    """
    return f"{about.st_ctime_ns:x}-{about.st_ino:x}" if about.st_ctime_ns < now_ns - _CLOCK_NS else None


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)


@contextmanager
def _locked(folder: Path, needed: bool = False) -> Iterator[None]:
    """Hold the folder's lock. Raise ``StoreError`` if it is needed and the file system has no locks."""
    handle = _take_lock(folder)
    if handle is None and needed:
        raise StoreError(
            f"{folder}: this file system has no locks, so an object cannot be replaced safely. Use another output.path."
        )
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _take_lock(folder: Path) -> int | None:
    """Return an open file that holds the lock: the folder itself, or a file in it where only files lock (NFS)."""
    for path, flags in ((folder, os.O_RDONLY), (folder / f"{_TEMPORARY}lock", os.O_RDWR | os.O_CREAT)):
        handle = os.open(path, flags, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            os.close(handle)
        else:
            return handle
    return None


def _cannot_write(path: Path, error: OSError) -> StoreError:
    if error.errno in _FULL:
        return StoreError(
            f"{path}: the disk is full ({error.strerror}). Nothing of this object was kept. Free some space and run "
            "again, or use another output.path."
        )
    return StoreError(f"{path}: this cannot be written: {error.strerror}. Fix that, or use another output.path.")
