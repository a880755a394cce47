"""How far each stage of each model and task is: the chains, and each probe.

In: run.json and the commits. Out: ``Stage`` objects. Readers' parts of a probe count as shards. Knows nothing about how
they are shown.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog
from cotfaith.schemas.run_objects import PieceName, RunRecord
from cotfaith.schemas.status import Status

Logs = dict[Shard, ShardLog]


@dataclass(frozen=True)
class Stage:
    """One stage of a model on a task, or of all stages of a model together."""

    model: str
    task: str
    stage: str
    """"chains", or the probe's name."""
    done: int
    """Shards that are committed."""
    shards: int
    statuses: Counter[str]
    """Rows by status."""

    @property
    def lacking(self) -> float:
        """Return the share of shards that are not done."""
        return 1 - self.done / self.shards if self.shards else 0.0

    @property
    def failed(self) -> float:
        """Return the share of rows that are not ok."""
        rows = self.statuses.total()
        return 1 - self.statuses[Status.OK] / rows if rows else 0.0

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        about = {"model": self.model, "task": self.task, "stage": self.stage, "shards_done": self.done}
        return about | {"shards": self.shards, "rows": self.statuses.total(), "statuses": dict(self.statuses)}


def stages(run: RunRecord, ledger: Ledger) -> list[Stage]:
    """Return every stage of the models with chains: those of the spec, and those of earlier specs."""
    logs: defaultdict[tuple[str, str], Logs] = defaultdict(dict)
    for shard, log in ledger.logs.items():
        logs[shard.model, shard.task][shard] = log
    subjects = {*run.spec.subjects, *(shard.model for shard in ledger.logs)}
    models = [model for model in run.identity.models if model in subjects]
    return [stage for model in models for task in run.ranges for stage in _stages(run, model, task, logs[model, task])]


def by_model(found: Iterable[Stage]) -> list[Stage]:
    """Return the sum of each model's stages, the worst first: what is not done, then the share of failed rows."""
    own: defaultdict[str, list[Stage]] = defaultdict(list)
    for one in found:
        own[one.model].append(one)
    sums = [_sum(model, parts) for model, parts in own.items()]
    return sorted(sums, key=lambda one: (-one.lacking, -one.failed, one.model))


def _sum(model: str, parts: Collection[Stage]) -> Stage:
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.statuses)
    tasks = len({part.task for part in parts})
    done, shards = sum(part.done for part in parts), sum(part.shards for part in parts)
    return Stage(model, f"{tasks} task{'s' * (tasks != 1)}", "all", done, shards, statuses)


def _stages(run: RunRecord, model: str, task: str, own: Logs) -> Iterator[Stage]:
    for stage in (None, *run.identity.probes) if own or _is_asked(run, model, task) else ():
        readers = _readers(run, stage, model, task, own.values())
        shards = run.n_shards(task) * len(readers)
        done = sum(_done(run, stage, readers, shard, log) for shard, log in own.items())
        if readers:
            yield Stage(model, task, stage or "chains", done, shards, _statuses(stage, own.values()))


def _is_asked(run: RunRecord, model: str, task: str) -> bool:
    """Return whether the last spec lets the model answer the task; True if it does not have both."""
    named = [one for one in run.spec.tasks if one.name == task and model in run.spec.subjects]
    return all(run.spec.answers(model, one) for one in named)


def _readers(run: RunRecord, stage: str | None, model: str, task: str, logs: Iterable[ShardLog]) -> set[str | None]:
    """Return who works on each shard in this stage: the subject (null), or the readers in the record or commits."""
    named = run.readers_of(stage, task, model) if stage is not None else []
    found = {piece.reader for log in logs for piece in log.pieces if piece.probe == stage}
    readers = {*named, *found} - {None}
    return readers if readers or stage in run.others_only else {None}


def _done(run: RunRecord, stage: str | None, readers: Collection[str | None], shard: Shard, log: ShardLog) -> int:
    """Return by how many of its readers the shard's stage is done."""
    strategies = run.spec.strategies or list(run.identity.strategies)
    n, done = shard.stop - shard.start, 0
    for reader in readers:
        asked = product(strategies, run.variants_of(stage))
        pieces = {PieceName(strategy, variant, stage, reader) for strategy, variant in asked}
        pieces |= {piece for piece in log.pieces if (piece.probe, piece.reader) == (stage, reader)}
        done += all(len(log.live.get(piece, ())) == n for piece in pieces)
    return done


def _statuses(stage: str | None, logs: Iterable[ShardLog]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for log in logs:
        for piece in log.pieces:
            if piece.probe == stage:
                counts.update(log.statuses(piece))
    return counts
