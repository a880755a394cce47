"""Writes one attempt's tables and their commit marker.

In: tables, and their effort. Out: ``Written``: the commit, and whether it counts. Data is written first, each attempt's
under keys of its own. The commit marker is written last, and only if absent. An attempt that loses that race leaves
orphans that no reader sees.
"""

import hashlib
import io
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.plan.shards import Shard
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import Commit, Part, TableName


@dataclass(frozen=True)
class Effort:
    """The time and tokens of one part of a shard's work. Probes that ran in common rounds share one."""

    began: float
    """Seconds since the epoch, by the clock of the machine that did it."""
    seconds: float
    timed_with: Sequence[str]
    """The probes that shared this effort; empty for chains."""
    tokens: Mapping[str, int]
    """Role -> its engine's prompt tokens, each prompt counted whole, and generated tokens."""


@dataclass(frozen=True)
class Written:
    """The outcome of writing one part of a shard."""

    commit: Commit
    won: bool
    """Whether the commit counts; False: another attempt was first, and its rows are the run's."""


@dataclass(frozen=True)
class Writer:
    """Writes for one attempt at one shard, or at one reader's part of it."""

    store: Store
    shard: Shard
    reader: str | None = None
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def commit(self, tables: Mapping[TableName, pa.Table], probe: str | None, effort: Effort) -> Written:
        """Write ``tables`` (by name) and their commit; ``probe`` is null for items and chains."""
        parts = [self._put(name, table, probe) for name, table in tables.items()]
        commit = self._commit(parts, _statuses(tables.values()), probe, effort)
        return Written(commit, self.store.put_if_absent(commit.commit_key, commit.as_json()))

    def _commit(self, parts: list[Part], statuses: dict[str, int], probe: str | None, effort: Effort) -> Commit:
        shard = self.shard
        return Commit(
            key=keys.commit(shard.id, probe, self.reader),
            shard=shard.id,
            model=shard.model,
            task=shard.task,
            strategy=shard.strategy,
            start=shard.start,
            stop=shard.stop,
            probe=probe,
            reader=self.reader,
            attempt=self.attempt,
            parts=parts,
            statuses=statuses,
            began=effort.began,
            seconds=effort.seconds,
            timed_with=list(effort.timed_with),
            tokens=dict(effort.tokens),
        )

    def _put(self, name: TableName, table: pa.Table, probe: str | None) -> Part:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        key = keys.part(name, self.shard.model, self.shard.task, self.shard.id, self.attempt, probe)
        self.store.put(key, data)
        return Part(table=name, key=key, rows=table.num_rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _statuses(tables: Iterable[pa.Table]) -> dict[str, int]:
    """Return the rows of chains or observations by status."""
    found = [table.column("status").to_pylist() for table in tables if "status" in table.column_names]
    return dict(Counter(status for statuses in found for status in statuses))
