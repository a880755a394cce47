"""The run.json of imported records: what was imported, and the names of models and tasks. No model ran."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cotfaith import __version__
from cotfaith.cluster.imports.paired.cells import SourceFile
from cotfaith.cluster.imports.paired.records import Recorded
from cotfaith.cluster.imports.paired.shards import ItemShard
from cotfaith.cluster.imports.paired.tables import LABELS, STRATEGY, WITHOUT
from cotfaith.schemas.run_objects import (
    Identity,
    ImportedFile,
    ImportedRecords,
    ModelEntry,
    RunRecord,
    SpecEntry,
    TaskEntry,
)
from cotfaith.schemas.tables import SCHEMA_VERSION

Shards = Mapping[str, Sequence[ItemShard]]
"""Task -> its shards."""


def run_record(found: Recorded, tasks: Shards, files: Sequence[SourceFile], mapping: Mapping[str, Any]) -> RunRecord:
    """Return the record of a new run."""
    imported = [ImportedFile(file=str(one.path), sha256=one.sha256, records=one.n_records) for one in files]
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=uuid.uuid4().hex[:12],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        cotfaith_version=__version__,
        identity=_identity(found, tasks),
        ranges={task: [shard.range for shard in shards] for task, shards in tasks.items()},
        imported=ImportedRecords(files=imported, mapping=dict(mapping)),
        spec=_spec(found, tasks),
    )


def _identity(found: Recorded, tasks: Shards) -> Identity:
    return Identity(
        seed=0,
        sampling={},
        strategies={STRATEGY: None},
        models={name: {} for name in _models(found)},
        tasks={name: {} for name in tasks},
        probes={name: {} for name in _probes(found)},
    )


def _spec(found: Recorded, tasks: Shards) -> SpecEntry:
    """Return a spec that asks for nothing: what is committed is all."""
    models, answered = _models(found), {(one.model, one.item.task) for one in found.answers}
    entries = [
        TaskEntry(name=task, n=shards[-1].stop, models=[name for name in models if (name, task) in answered])
        for task, shards in tasks.items()
    ]
    subjects = [ModelEntry(id=name, source="", roles=["subject"]) for name in models]
    return SpecEntry(seed=0, models=subjects, tasks=entries, strategies=[STRATEGY], probes=[])


def _models(found: Recorded) -> list[str]:
    return sorted({one.model for one in found.answers})


def _probes(found: Recorded) -> Iterator[str]:
    """Yield the probes that the rows are of."""
    if not all(one.with_chain for one in found.answers):
        yield WITHOUT
    if any(one.labels for one in found.answers):
        yield LABELS
