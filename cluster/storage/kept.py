"""What was made of the rows of a range of items, kept beside them: made once, and read from then on.

In: tables, what they were made of (the range's commits, and whatever else decides the result), and a store. Out: the
same tables, or None where there are none, so that they are made again: nothing stale or damaged is read. The key of an
object names what it was made of and its own sha256. Nobody needs these objects: they can be deleted at any time.
Knows nothing about what the tables mean.
"""

import hashlib
import io
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.storage.batches import Range
from cotfaith.cluster.storage.ledger import ShardLog
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import StoreError

Frames = Mapping[str, pl.DataFrame]
_NAME = 32  # hex digits
_END = ".zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same tables give the same bytes


def made_of(run_id: str, logs: Sequence[ShardLog], *more: str) -> str:
    """Return a name for exactly these commits of a run, and ``more`` that decides what is made of them."""
    commits = [commit.sha256 or commit.digest() for log in logs for commit in log.commits]
    found = hashlib.sha256("\n".join([run_id, *more, *commits]).encode())
    return found.hexdigest()[:_NAME]


def packed(frames: Frames) -> bytes:
    """Return the tables as one object: a zip file of Arrow files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, frame in frames.items():
            one = io.BytesIO()
            frame.write_ipc(one, compression="zstd")
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), one.getvalue())
    return whole.getvalue()


def unpacked(data: bytes) -> dict[str, pl.DataFrame]:
    """Return the tables of an object.

    Raises:
        ValueError: it is something else.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: pl.read_ipc(archive.read(name)) for name in archive.namelist()}
    except (zipfile.BadZipFile, pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(f"not a zip file of Arrow files: {error}") from None


@dataclass(frozen=True)
class Kept:
    """The objects of a run."""

    store: Store
    known: Mapping[str, Sequence[str]]
    """What they were made of -> their keys; there may be several, such as a damaged one and its successor."""

    @classmethod
    def of(cls, store: Store) -> "Kept":
        """Return those that are there."""
        found = defaultdict[str, list[str]](list)
        for key in store.list(keys.SUMS):
            if key.endswith(_END):
                found[key.rpartition("/")[2].partition("-")[0]].append(key)
        return cls(store, found)

    def get(self, name: str) -> Iterator[bytes]:
        """Yield what was made of this; objects that are not what their keys say are left out."""
        for key in self.known.get(name, ()):
            data = self.store.get(key)
            if data is not None and key.endswith(f"-{_sha256(data)}{_END}"):
                yield data


def keep(store: Store, place: Range, name: str, data: bytes) -> None:
    """Write what was made of ``name``; a store that takes no more objects is no error."""
    try:
        store.put(keys.sums(*place, name, _sha256(data)), data)
    except StoreError as error:
        warnings.warn(f"Sums cannot be kept, so they are made again next time: {error}", stacklevel=2)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
