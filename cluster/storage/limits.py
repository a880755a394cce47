"""How large an object may be that is read into memory."""

from cotfaith.schemas.errors import StoreError

MAX_OBJECT_BYTES = 2 * 1024**3
"""2 GiB. The parts of a run are a thousand times smaller."""


def check_size(place: str, size_bytes: int) -> None:
    """Raise ``StoreError`` if the object at ``place`` is too large to read."""
    if size_bytes > MAX_OBJECT_BYTES:
        raise StoreError(
            f"{place} has {size_bytes:,} bytes; at most {MAX_OBJECT_BYTES:,} are read. Was it written by cotfaith? "
            "Move it away if not."
        )
