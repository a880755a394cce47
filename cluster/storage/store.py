"""A run's storage: whole objects of bytes under keys with ``/``, in a folder or a bucket.

``open_store`` returns the store of a path. Knows nothing about what the objects mean.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.s3 import MULTIPART_BYTES, Encryption, S3Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import SpecError, UnfitStoreError
from cotfaith.schemas.spec import OutputSpec
from cotfaith.workers.remote.s3_url import is_s3, parse_s3_url

CHECK_KEY = "_commits/.conditional-put-check"
"""An object that earlier versions left among the commits."""
CHECK_PREFIX = ".conditional-put-check-"
"""The keys of ``check_conditional_put``."""
_OURS = "._"
"""The first characters of keys that a run may have before it has run.json."""
_SHOWN = 3


class Store(Protocol):
    """What a run needs from its storage. Each object appears whole or not at all; calls may come from many threads."""

    def put(self, key: str, data: bytes) -> None:
        """Write or replace ``key``."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write ``key`` unless it exists; return whether this call wrote it.

        Of racing calls, exactly one returns True, if their data differ: a writer knows its own object by its content.
        """
        ...

    def put_if_unchanged(self, key: str, data: bytes, tag: str) -> bool:
        """Replace the object that ``get_tagged`` returned with ``tag``; return False if it changed or is gone.

        Of racing calls with one tag, exactly one returns True, if their data differ, from the object's too.
        """
        ...

    def get(self, key: str) -> bytes | None:
        """Return the object, or None if there is none; raise ``StoreError`` if it is larger than 2 GiB."""
        ...

    def get_tagged(self, key: str) -> tuple[bytes, str] | None:
        """Return the object with a tag that changes with its content, or None if there is none."""
        ...

    def get_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the objects in the order of ``keys``, read in parallel where that helps."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, in order."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of what is one level below ``prefix`` (which ends in ``/``) and has objects, in order.

        A folder on disk may be named without having any.
        """
        ...

    def tagged_folders(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """Yield each of these names, in any order, with a tag, without a request for each.

        The tag differs after an object in the folder was added, removed or replaced. None: it changed so recently that
        a further change might not show in it.
        """
        ...

    def folder_tag(self, prefix: str) -> tuple[str | None, tuple[str, ...]]:
        """Return the tag of one folder, no younger than the names of its objects, which come with it in order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; none is no error."""
        ...

    def place(self, key: str) -> str:
        """Return where the object is, for messages: a path, or ``s3://bucket/prefix/key``."""
        ...


def open_store(where: str | OutputSpec, multipart_bytes: int = MULTIPART_BYTES) -> Store:
    """Return the store of a run's path; nothing is read or written, and the folder or prefix need not exist.

    An ``OutputSpec`` also says how objects are encrypted. Objects of more than ``multipart_bytes`` go to S3 in parts.
    Call ``check_place`` before the first read, and ``check_conditional_put`` before the first write.

    Raises:
        SpecError: the path cannot be a run's.

    """
    output = OutputSpec(path=where) if isinstance(where, str) else where
    if is_s3(output.path):
        url = parse_s3_url(output.path, "output.path")
        return S3Store(url, _encryption(output), multipart_bytes=multipart_bytes)
    return LocalStore(_folder(output.path))


def _encryption(output: OutputSpec) -> Encryption:
    return Encryption({"aes256": "AES256"}.get(output.sse or "", output.sse), output.sse_kms_key)


def _folder(path: str) -> Path:
    if not path.strip() or "\0" in path:
        raise SpecError(f"output.path: got {path!r}; name a folder, for example runs/first.")
    if "://" in path:
        raise SpecError(
            f"output.path: {path.partition('://')[0]}:// is not supported; name a folder, or s3://bucket/prefix."
        )
    root = Path(path).expanduser()
    for part in (root, *root.parents):
        if part.exists() and not part.is_dir():
            raise SpecError(f"output.path: {str(part)!r} is a file; name a folder.")
    return root


def absolute(path: str) -> str:
    """Return a run's path for processes with other working directories; an address stays as it is."""
    return path if "://" in path else str(Path(path).expanduser().absolute())


def check_reachable(store: Store) -> Sequence[str]:
    """Check that a bucket can be reached and listed, within seconds; return its first keys. Folders need no check.

    Raises:
        SpecError: the user can fix it: the bucket, credentials, or the region.
        StoreError: the server gives no answer.

    """
    return store.first_keys() if isinstance(store, S3Store) else ()


def check_place(store: Store) -> None:
    """Check that a bucket can be reached, and that its prefix holds a run or nothing; folders may hold other files.

    Raises:
        SpecError: the user can fix it: the bucket, credentials, the region, or what the prefix holds.
        StoreError: the server gives no answer.

    """
    found = check_reachable(store)
    foreign = [key for key in found if key[0] not in _OURS]
    if foreign and keys.RUN not in found and store.get(keys.RUN) is None:
        assert isinstance(store, S3Store), "folders are not checked"
        raise SpecError(
            f"output.path: {store.url} holds no run but other objects, such as {', '.join(foreign[:_SHOWN])}. Use "
            "another prefix."
        )


def check_conditional_put(store: Store, key: str | None = None) -> None:
    """Check that conditional writes work: put a key of its own twice, and remove it.

    A run does this before it writes anything else.

    Raises:
        UnfitStoreError: the second put took effect, so two attempts at a shard could both commit.

    """
    key = key or f"{CHECK_PREFIX}{uuid.uuid4().hex}"
    store.put_if_absent(key, b"1")
    ignored = store.put_if_absent(key, b"2")
    store.delete(key)
    if ignored:
        raise UnfitStoreError(
            f"{store.place('')}: the store ignores conditional writes, so two attempts could both commit. Use another "
            "store: AWS S3, SeaweedFS 4.48 or newer, MinIO, or a local folder."
        )
