"""A run -> Parquet tables that a warehouse reads: a folder a table, in it one a run, in it files of about one size.

In: a run's store and another store. Out: files ``TABLE/run_id=RUN/00000.parquet`` and a manifest. Rows come from
commits, never from a listing of parts. Shards are in groups; a group has one file of each table, of which the larger
is about as large as asked. Exporting again writes only what changed: the groups with a shard that has another commit
now, and new shards, which first fill the last group. A group keeps its files' names and is overwritten, and the
manifest first drops what is written over. So whenever an export is cut off, each row is in at most one file, and the
next export goes on from there. Shards are read some at a time: memory grows with the files' size, not with the run.
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from cotfaith.cluster.export.committed import committed, digest_of
from cotfaith.cluster.export.manifest import Group, Manifest, ManifestFile, WrittenFile
from cotfaith.cluster.export.table_files import PARTITION, ShardFiles, TableFile
from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.made import made_table
from cotfaith.cluster.storage.read import tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError, RunFolderError, SpecError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.tables import SCHEMA_VERSION, TABLES

FILE_MB = 256
"""The default size of a file."""
MOST_MB = 1024
_BATCH_BYTES = 16 * 2**20
"""Bytes of parts that are read together."""
_BATCH_ROWS = 250_000
_MADE = ("estimates", "comparisons", "verdicts")
_OURS = re.compile(r"\d{5,}\.parquet")


@dataclass(frozen=True)
class Exported:
    """What an export did."""

    manifest: Manifest
    """What is there now."""
    added: Mapping[str, int]
    """Table -> its rows now, less those that were there before."""
    written: Sequence[str] = ()
    """Keys of the files that were written."""


def export_parquet(store: Store, run: RunRecord, to: Store, file_bytes: int = FILE_MB * 2**20) -> Exported:
    """Bring the export of a run up to date with its commits; files grow until one has ``file_bytes``.

    Raises:
        SpecError: nothing is committed, the place holds a run, or files in the run's folders there are not an export's.
        RunFolderError: an object of the run is damaged, or not the run's.
        RunConflictError: another export worked there at the same time.

    """
    if not re.fullmatch(keys.NAME_PATTERN, run.run_id):
        raise RunFolderError(f"{keys.RUN}: run_id is {run.run_id!r}, which cannot name a folder. Restore {keys.RUN}.")
    if to.get(keys.RUN) is not None:
        raise SpecError(f"--out {to.place('')}: this is a run's folder. Name another, for example warehouse.")
    logs = committed(store, run)
    return _Export(store, run, to, logs, file_bytes, ManifestFile(to, run.run_id)).done()


@dataclass
class _Export:
    """One export of a run."""

    store: Store
    run: RunRecord
    to: Store
    logs: Mapping[Shard, ShardLog]
    file_bytes: int
    manifest: ManifestFile
    written: list[str] = field(default_factory=list)

    def done(self) -> Exported:
        """Do it."""
        before = self.manifest.found
        self._remove_leftovers(before)
        tables = self._made_tables(before)
        digests = {shard.id: digest_of(log) for shard, log in self.logs.items()}
        groups = [] if before is None else before.groups
        again = _to_write_again(before, digests, self.file_bytes)
        new = _new_shards(self.logs, groups)
        if before is not None and before.complete and not (again or new or tables):
            return Exported(before, dict.fromkeys(TABLES, 0))
        kept = [one for one in groups if one.number not in {other.number for other in again}]
        made = {} if before is None else {name: one for name, one in before.made.items() if name not in tables}
        self.manifest.write(kept, made, complete=False)
        try:
            kept += self._groups(again, new, digests, {one.number for one in groups})
            made |= {name: self._put(name, 0, rows, data) for name, (rows, data) in tables.items()}
            now = self.manifest.write(kept, made, complete=True)
        except RunConflictError:
            self._take_back()
            raise
        added = {name: now.rows(name) - (before.rows(name) if before else 0) for name in TABLES}
        return Exported(now, added, self.written)

    def _remove_leftovers(self, before: Manifest | None) -> None:
        """Delete what an export that was cut off left behind; raise if there are files that no export wrote."""
        known = set() if before is None else {one.key for _, one in before.files}
        found = [key for name in TABLES for key in self.to.list(_folder(name, self.run.run_id))]
        left = [key for key in found if key not in known and key.rpartition("/")[2][0] not in "._"]
        if others := [key for key in left if not _OURS.fullmatch(key.rpartition("/")[2])]:
            raise SpecError(
                f"{self.to.place(others[0])}: no export wrote this file, and a warehouse would count its rows. Move it "
                "away, or name another folder."
            )
        for key in left:
            self.to.delete(key)

    def _take_back(self) -> None:
        """Delete what this export wrote: beside the files of the other one, a glob could find rows twice."""
        for key in self.written:
            self.to.delete(key)

    def _groups(
        self, again: Sequence[Group], new: Sequence[Shard], digests: Mapping[str, str], taken: set[int]
    ) -> Iterator[Group]:
        """Write the groups that changed, then the shards that are in none, which fill the last group first."""
        rest, last = deque(new), max(taken, default=-1)
        by_id = {shard.id: shard for shard in self.logs}
        for group in again:
            own = deque(by_id[one] for one in group.shards if one in by_id)
            fills = group.number == last and group.largest < self.file_bytes
            if own or (fills and rest):
                yield self._write(group.number, own, rest if fills else deque(), digests)
            else:
                for file in group.files.values():
                    self.to.delete(file.key)
        while rest:
            last += 1
            yield self._write(last, deque(), rest, digests)

    def _write(self, number: int, own: deque[Shard], rest: deque[Shard], digests: Mapping[str, str]) -> Group:
        """Write a group: all of ``own``, and of ``rest`` what fills its files."""
        files, shards = ShardFiles(self.run.run_id), list[Shard]()
        while own or (rest and files.size < self.file_bytes):
            batch = self._batch(own, rest)
            files.add(tables_of(self.store, [self.logs[shard] for shard in batch], self.run.run_id))
            shards += batch
        made = files.finish()
        return Group(
            number=number,
            shards={shard.id: digests[shard.id] for shard in shards},
            commits=sum(len(self.logs[shard].commits) for shard in shards),
            files={name: self._put(name, number, rows, data) for name, (rows, data) in made.items()},
        )

    def _batch(self, own: deque[Shard], rest: deque[Shard]) -> list[Shard]:
        """Take the next shards that are read together: at least one."""
        found, n_bytes, n_rows = list[Shard](), 0, 0
        while (own or rest) and n_bytes < min(_BATCH_BYTES, self.file_bytes) and n_rows < _BATCH_ROWS:
            found.append((own or rest).popleft())
            parts = [part for commit in self.logs[found[-1]].commits for part in commit.parts]
            n_bytes += sum(part.bytes for part in parts)
            n_rows += sum(part.rows for part in parts)
        return found

    def _made_tables(self, before: Manifest | None) -> dict[str, tuple[int, bytes]]:
        """Return the rows and file of each table that commands make, if it is not there already; empty if none did."""
        found = {}
        for name in _MADE:
            table = made_table(self.store, self.run.run_id, name)
            frame = pl.from_arrow(TABLES[name].empty_table() if table is None else table)
            assert isinstance(frame, pl.DataFrame), f"{name} is one column"
            file = TableFile(name, self.run.run_id)
            file.add(frame)
            found[name] = (len(frame), file.finish())
        there = {} if before is None else before.made
        return {
            name: pair
            for name, pair in found.items()
            if name not in there or there[name].sha256 != hashlib.sha256(pair[1]).hexdigest()
        }

    def _put(self, name: str, number: int, rows: int, data: bytes) -> WrittenFile:
        """Write a file, unless another export has begun."""
        key = f"{_folder(name, self.run.run_id)}{number:05d}.parquet"
        self.manifest.check()
        self.written.append(key)
        self.to.put(key, data)
        return WrittenFile(key=key, rows=rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _folder(name: str, run_id: str) -> str:
    return f"{name}/{PARTITION}={run_id}/"


def _to_write_again(before: Manifest | None, digests: Mapping[str, str], file_bytes: int) -> list[Group]:
    """Return the groups whose files are no longer what they should be; a last one that new shards fill comes last."""
    if before is None:
        return []
    if before.schema_version != SCHEMA_VERSION:
        return before.groups
    known = {shard for one in before.groups for shard in one.shards}
    last = max((one.number for one in before.groups), default=-1)
    fills = not digests.keys() <= known
    return [
        one
        for one in before.groups
        if any(digests.get(shard) != digest for shard, digest in one.shards.items())
        or (fills and one.number == last and one.largest < file_bytes)
    ]


def _new_shards(logs: Mapping[Shard, ShardLog], groups: Sequence[Group]) -> list[Shard]:
    """Return the shards that are in no group, in the order of models, tasks and items."""
    known = {shard for one in groups for shard in one.shards}
    return sorted(shard for shard in logs if shard.id not in known)
