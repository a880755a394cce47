"""A file that an intervention reads for every item: what it holds is kept until the file changes.

In: a file's name in a spec. Out: the file and its state, which is the key of what was read from it. A file elsewhere is
fetched once in a process.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.workers.remote.files import local_file


@dataclass(frozen=True)
class Version:
    """A file as it is now."""

    path: Path
    changed_ns: int
    """When it was last written."""
    size: int
    """In bytes."""


def version_of(named: str, origin: str) -> Version:
    """Return the file that ``named`` means; raise ``SpecError`` that begins with ``origin`` if it is not there."""
    path = _fetched(named, origin)
    try:
        state = path.stat()
    except OSError as error:
        raise SpecError(f"{origin}: the file {named!r} cannot be read: {error.strerror}.") from None
    return Version(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=64)
def _fetched(named: str, origin: str) -> Path:
    return local_file(named, origin)
