"""Object storage: ``put``, ``put_if_absent``, ``get``, ``list``. Keys use ``/``; values are bytes.

Knows nothing about what the objects mean.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cotfaith.schemas.errors import SpecError, StoreError


class Store(Protocol):
    """What a run needs from its storage. Each object appears whole or not at all."""

    def put(self, key: str, data: bytes) -> None:
        """Write or replace ``key``."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write ``key`` unless it exists; return whether this call wrote it. Of racing calls, exactly one does."""
        ...

    def get(self, key: str) -> bytes | None:
        """Return the object, or None if there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, in order."""
        ...


class LocalStore:
    """A folder. Writes go to a temporary file first and are flushed to disk, so that a crash leaves no half object."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes) -> None:
        """Write or replace ``key``."""
        temporary = self._write_aside(key, data)
        try:
            temporary.replace(self.root / key)
        except OSError as error:
            temporary.unlink()
            raise _cannot_write(self.root / key, error) from error

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write ``key`` unless it exists: a hard link fails, atomically, if the name is taken."""
        temporary = self._write_aside(key, data)
        try:
            os.link(temporary, self.root / key)
        except FileExistsError:
            if not (self.root / key).is_file():
                raise StoreError(
                    f"{self.root / key}: something other than a file has this name, such as a folder or a broken link. "
                    "Move it away."
                ) from None
            return False
        except OSError as error:
            raise _cannot_write(self.root / key, error) from error
        finally:
            temporary.unlink()
        return True

    def get(self, key: str) -> bytes | None:
        """Return the object, or None if there is none."""
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{self.root / key}: this cannot be read: {error.strerror}. Fix that.") from error

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, in order, without temporary files."""
        folder = self.root / prefix if prefix.endswith("/") or not prefix else (self.root / prefix).parent
        found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".tmp-"))
        yield from sorted(key for p in found if (key := p.relative_to(self.root).as_posix()).startswith(prefix))

    def _write_aside(self, key: str, data: bytes) -> Path:
        target = self.root / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
        except OSError as error:
            raise _cannot_write(target, error) from error
        return Path(name)


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: this cannot be written: {error.strerror}. Fix that, or use another output.path.")


def open_store(path: str) -> Store:
    """Return the store of a run's folder; nothing is read or written, and the folder need not exist.

    Call ``check_conditional_put`` before the first write to it.

    Raises:
        SpecError: the path cannot be a run's folder.

    """
    if not path.strip() or "\0" in path:
        raise SpecError(f"output.path: got {path!r}; name a folder, for example runs/first.")
    if "://" in path:
        raise SpecError(
            f"output.path: {path!r} is not a folder. Object storage is not supported yet; name a local folder."
        )
    root = Path(path).expanduser()
    for part in (root, *root.parents):
        if part.exists() and not part.is_dir():
            raise SpecError(f"output.path: {str(part)!r} is a file; name a folder.")
    return LocalStore(root)


def absolute(path: str) -> str:
    """Return a run's path for processes with other working directories; an address stays as it is."""
    return path if "://" in path else str(Path(path).expanduser().absolute())


CHECK_KEY = "_commits/.conditional-put-check"


def check_conditional_put(store: Store, key: str = CHECK_KEY) -> None:
    """Check that conditional writes work: put ``key`` twice. A run does this before it writes anything else.

    Raises:
        StoreError: the second put took effect, so two attempts at a shard could both commit.

    """
    store.put_if_absent(key, b"1")
    if store.put_if_absent(key, b"2"):
        raise StoreError("The store ignores conditional writes, so two attempts could both commit. Use another store.")
