"""Writes one attempt's tables and their commit marker.

Data first, each attempt under keys of its own; the commit marker last, and only if absent. Whoever loses that race
leaves orphans that no reader sees.
"""

import hashlib
import io
import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.plan.plan import Shard
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys


@dataclass(frozen=True)
class Effort:
    """What a part of a shard's work took. Probes that ran in common rounds share one."""

    began: float
    """Seconds since the epoch, by the clock of the machine that did it."""
    seconds: float
    timed_with: Sequence[str]
    """The probes that it was spent on, all together; empty for chains."""
    tokens: Mapping[str, int]
    """Role -> tokens of its engine's prompts, each counted whole, and generated."""


@dataclass(frozen=True)
class Writer:
    """Of one attempt at one shard, or at one reader's part of it."""

    store: Store
    shard: Shard
    reader: str | None = None
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def commit(self, tables: Sequence[tuple[str, pa.Table]], probe: str | None, effort: Effort) -> Counter[str]:
        """Write ``tables`` and their commit; return rows by status, empty if another attempt was first."""
        parts = [self._put(name, table, probe) for name, table in tables]
        statuses = Counter(s for _, t in tables if "status" in t.column_names for s in t.column("status").to_pylist())
        key = keys.commit(self.shard.id, probe, self.reader)
        marker = {
            **self.shard.entry(key, probe, self.reader),
            "attempt": self.attempt,
            "parts": parts,
            "statuses": dict(statuses),
            **asdict(effort),
        }
        return statuses if self.store.put_if_absent(key, json.dumps(marker, indent=1).encode()) else Counter()

    def _put(self, name: str, table: pa.Table, probe: str | None) -> dict[str, Any]:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        key = keys.part(name, self.shard.model, self.shard.task, self.shard.id, self.attempt, probe)
        self.store.put(key, data)
        digest = hashlib.sha256(data).hexdigest()
        return {"table": name, "key": key, "rows": table.num_rows, "bytes": len(data), "sha256": digest}
