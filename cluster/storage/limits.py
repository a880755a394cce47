"""What a store refuses: objects that are too large to read into memory, and keys that lead out of the run."""

from cotfaith.schemas.errors import RunFolderError, StoreError

MAX_OBJECT_BYTES = 2 * 1024**3
"""2 GiB. The parts of a run are a thousand times smaller."""


def check_size(place: str, size_bytes: int) -> None:
    """Raise ``StoreError`` if the object at ``place`` is too large to read."""
    if size_bytes > MAX_OBJECT_BYTES:
        raise StoreError(
            f"{place} has {size_bytes:,} bytes; at most {MAX_OBJECT_BYTES:,} are read. Was it written by cotfaith? "
            "Move it away if not."
        )


def check_key(key: str) -> None:
    """Raise ``RunFolderError`` if a key (or the beginning of keys) leads out of the run's folder.

    Keys are made of names that are checked, so only a changed object of the folder can lead here.
    """
    if key.startswith("/") or ".." in key.split("/") or "\0" in key:
        raise RunFolderError(
            f"{key!r} is no key of a run: it leads out of the run's folder. Was an object of the folder changed by "
            "hand? Use cotfaith verify to find it."
        )
