"""The ledger beside the commits: objects with the states of many shards each, so that a resumed run reads few objects.

In: entries, one for each shard whose commits were read or made. Out: segments in ``_ledger/``, and their rows back. The
commits are the truth and this is a copy of what they say: a segment that is damaged, of another run or of another
version is left out, and an entry counts only while its shard's folder has the entry's tag. So entries may be lost, be
there twice, or be old: then commits are read. Knows nothing about what is missing.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.shard_state import rows_by_status, state_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.parquet import read_parquet

VERSION = 1
"""Of the rows and of what they mean: segments of other versions are left out."""
_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("model", _NAME),
        ("task", _NAME),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("commits", pa.int32()),
        ("tag", pa.uint64()),
        ("state", _NAME),
        ("statuses", _NAME),
    ]
)
SEGMENT_ROWS = 2**17
"""The most entries of one segment: it is read as a whole."""
FLUSH_ROWS = 5_000
FLUSH_S = 30.0
"""A crash loses the entries of so many shards, or of so many seconds; their commits are then read."""
LEAST_S = 5.0
"""Seconds between two tries: folders have no tag before they have settled."""
MOST_OWN = 64
"""The segments that a session may add before they become one."""


@dataclass(frozen=True)
class Entry:
    """What the commits of one shard amounted to."""

    shard: Shard
    commits: int
    """The generation of the next one."""
    names: tuple[str, ...]
    """The names of the commits' objects."""
    tag: int | None
    """Of the shard's folder while these were its objects, as ``short`` has it; None: not known yet."""
    state: str
    """``ShardState.text``."""
    statuses: str
    """JSON: "subject" and "reader" -> status -> rows that count."""


def entry_of(shard: Shard, log: ShardLog, reads: Iterable[tuple[str, str]], tag: int | None = None) -> Entry:
    """Return the entry of a shard; ``tag``: that of its folder before its log was read, if that can be told."""
    names = tuple(sorted(commit.key.rpartition("/")[2] for commit in log.commits))
    state = state_of(log, shard.stop - shard.start, frozenset(reads))
    rows = dict(zip(("subject", "reader"), map(dict, rows_by_status(log)), strict=True))
    statuses = json.dumps(rows, sort_keys=True, separators=(",", ":"))
    return Entry(shard, log.next_generation, names, tag, state.text, statuses)


def settled(store: Store, entry: Entry) -> Entry | None:
    """Return the entry with its folder's tag, if that can be told; None if the folder does not hold just its commits.

    Commits do not change: a folder with the same names is as it was when they were read.
    """
    if entry.tag is not None:
        return entry
    tag, names = store.folder_tag(keys.commit_folder(entry.shard.id))
    if names != entry.names:
        return None
    return entry if tag is None else replace(entry, tag=short(tag))


def short(tag: str) -> int:
    """Return a tag's place in a segment: 64 bits of its digest, never 0 or 1."""
    found = int.from_bytes(hashlib.blake2b(tag.encode(), digest_size=8).digest(), "little")
    return found if found > 1 else 2


@dataclass
class LedgerWriter:
    """Keeps entries, and writes them many at a time. What it cannot write is read from commits later."""

    store: Store
    run_id: str
    clock: Callable[[], float] = time.monotonic
    waiting: dict[Shard, Entry] = field(default_factory=dict)
    own: list[str] = field(default_factory=list)
    """The keys of the segments that it wrote."""

    def __post_init__(self) -> None:
        self._last_s = self.clock()

    def add(self, entry: Entry) -> None:
        """Take an entry; the shard's last one counts."""
        known = self.waiting.get(entry.shard)
        if known is None or entry.commits >= known.commits:
            self.waiting[entry.shard] = entry
        if self.waiting and (self.clock() - self._last_s >= FLUSH_S or self._is_full()):
            self.flush()

    def _is_full(self) -> bool:
        return len(self.waiting) >= FLUSH_ROWS and self.clock() - self._last_s >= LEAST_S

    def flush(self) -> None:
        """Write what waits. Entries whose folders changed just now wait on; those that do not hold are dropped."""
        self._last_s = self.clock()
        try:
            found = [one for own in self.waiting.values() if (one := settled(self.store, own)) is not None]
            ready = [one for one in found if one.tag is not None]
            self.own += write(self.store, self.run_id, [table_of(ready)])
            self.waiting = {one.shard: one for one in found if one.tag is None}
            if len(self.own) > MOST_OWN:
                self.own = replace_with(self.store, self.run_id, self.own, rows(self.store, self.run_id, self.own))
        except StoreError as error:
            self.waiting = {}
            warnings.warn(f"The ledger cannot be kept, so commits are read again next time: {error}", stacklevel=2)


def table_of(entries: Sequence[Entry]) -> pa.Table:
    """Return entries as rows."""
    rows = [
        {
            **one.shard._asdict(),
            "commits": one.commits,
            "tag": one.tag,
            "state": one.state,
            "statuses": one.statuses,
        }
        for one in entries
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def write(store: Store, run_id: str, tables: Iterable[pa.Table]) -> list[str]:
    """Write rows as segments that are not too large; return their keys."""
    found: list[str] = []
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= SEGMENT_ROWS:
            rows = pa.concat_tables(waiting)
            whole = len(rows) // SEGMENT_ROWS * SEGMENT_ROWS
            found += [_put(store, run_id, rows.slice(at, SEGMENT_ROWS)) for at in range(0, whole, SEGMENT_ROWS)]
            waiting = [rows.slice(whole)]
    rest = pa.concat_tables(waiting) if waiting else SCHEMA.empty_table()
    return [*found, _put(store, run_id, rest)] if len(rest) else found


def _put(store: Store, run_id: str, table: pa.Table) -> str:
    about = {"version": str(VERSION), "run_id": run_id}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    key = keys.ledger(hashlib.sha256(data).hexdigest())
    store.put(key, data)
    return key


def segments(store: Store) -> list[str]:
    """Return the keys of the segments that are there."""
    return list(store.list(keys.LEDGER))


def rows(store: Store, run_id: str, found: Iterable[str]) -> Iterator[pa.Table]:
    """Yield the rows of each segment; one that is gone, damaged, or of another run or version has none."""
    found = list(found)
    for key, data in zip(found, store.get_many(found), strict=True):
        yield SCHEMA.empty_table() if data is None else _rows(key, data, run_id)


def _rows(key: str, data: bytes, run_id: str) -> pa.Table:
    if key != keys.ledger(hashlib.sha256(data).hexdigest()):
        return SCHEMA.empty_table()
    try:
        table = read_parquet(data)
        about = table.schema.metadata or {}
        if (about.get(b"version"), about.get(b"run_id")) != (str(VERSION).encode(), run_id.encode()):
            return SCHEMA.empty_table()
        found = table.replace_schema_metadata().cast(SCHEMA)
        return found if not any(column.null_count for column in found.columns) else SCHEMA.empty_table()
    except (pa.ArrowException, OSError, ValueError, TypeError):
        return SCHEMA.empty_table()


def replace_with(store: Store, run_id: str, old: Sequence[str], tables: Iterable[pa.Table]) -> list[str]:
    """Put rows in the place of segments, and return the new keys. The new ones are there before the old ones go."""
    try:
        new = write(store, run_id, tables)
        remove(store, old, new)
    except StoreError as error:
        warnings.warn(f"The ledger cannot be written anew: {error}", stacklevel=2)
        return list(old)
    return new


def remove(store: Store, old: Iterable[str], new: Iterable[str] = ()) -> None:
    """Delete segments, but none of the ``new`` ones: equal rows have one key."""
    kept = set(new)
    for key in old:
        if key not in kept:
            store.delete(key)


def forget(store: Store) -> None:
    """Delete the whole ledger: before commits are moved or changed."""
    remove(store, segments(store))
