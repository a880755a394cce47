"""One shard's work, on a CPU next to an engine actor: run the missing parts, and commit each as it is finished.

In: a job, and the engines by role. Out: the rows, in the run's folder, and a ``ShardReport`` of the work. A
reader's job is the same work with another model in the subject's place, on chains that are committed.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.metering import MeteredEngine, metered
from cotfaith.cluster.fleet.writer import Effort, Writer, Written
from cotfaith.cluster.storage.parts import read_part
from cotfaith.cluster.storage.read import read_commit
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas import keys
from cotfaith.schemas.records import Chain
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import EngineUsage
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.shard.loop import Engines
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table, items_table, observations_table
from cotfaith.workers.shard.work import ShardWork

T = TypeVar("T")


@dataclass
class ShardReport:
    """What one shard task did."""

    shard: str
    items: int
    statuses: Counter[str] = field(default_factory=Counter)
    """Rows of chains and observations by status."""
    seconds: float = 0.0
    usage: EngineUsage = field(default_factory=EngineUsage)
    """The engine's totals when the task ended."""


def run_job(job: Job, engines: Engines) -> ShardReport:
    """Do the job; parts that are committed stay, even if a later one fails."""
    began = time.monotonic()
    import_plugins(job.spec.plugins)
    writer = Writer(open_store(job.spec.output.path), job.shard, job.reader)
    task = _Task(job, metered(engines), writer, ShardReport(job.shard.id, len(job.items)))
    task.run()
    task.report.seconds = time.monotonic() - began
    task.report.usage = engines["subject"].usage()
    return task.report


@dataclass(frozen=True)
class _Task:
    """A job in progress."""

    job: Job
    engines: Mapping[str, MeteredEngine]
    writer: Writer
    report: ShardReport

    def run(self) -> None:
        chains = self._sampled() if self.job.chains else self._committed()
        apart = self.job.spec.resources.probes_apart
        for together in [(probe,) for probe in self.job.probes] if apart else [self.job.probes]:
            self._probed(together, chains)

    @cached_property
    def _work(self) -> ShardWork:
        job = self.job
        model = next(m for m in job.spec.models if m.id == job.model)
        task = next(t for t in job.spec.tasks if t.name == job.shard.task)
        codec = load_codec(model, job.spec.prompts.date)
        return ShardWork(job.spec, model, task, job.shard.strategy, job.items, codec)

    @cached_property
    def _key(self) -> RowKey:
        return RowKey(self.job.run_id, self.job.shard.model, self.job.shard.task)

    def _sampled(self) -> Sequence[Chain]:
        chains, effort = self._measured(lambda: self._work.sample_chains(self.engines))
        items, made = items_table(self._key, self.job.items), chains_table(self._key, self.job.items, chains)
        written = self.writer.commit({"items": items, "chains": made}, None, effort)
        self._count(written)
        return chains if written.won else self._committed()  # the first attempt to commit decides the run's chains

    def _committed(self) -> list[Chain]:
        commit = read_commit(self.writer.store, keys.commit(self.job.shard.id))
        return chains_from_table(read_part(self.writer.store, commit.part("chains"), commit, self.job.run_id))

    def _probed(self, probes: tuple[str, ...], chains: Sequence[Chain]) -> None:
        """Run ``probes`` in common rounds and commit each; the effort of each is that of all of them together."""
        rows, effort = self._measured(lambda: self._work.run_probes(chains, probes, self.engines), probes)
        for probe in probes:
            table = observations_table(self._key, [row for row in rows if row.probe == probe])
            self._count(self.writer.commit({"observations": table}, probe, effort))

    def _count(self, written: Written) -> None:
        """Count the rows, unless another attempt committed first."""
        if written.won:
            self.report.statuses.update(written.commit.statuses)

    def _measured(self, work: Callable[[], T], probes: Sequence[str] = ()) -> tuple[T, Effort]:
        """Do ``work``; return its result and its effort."""
        began, since, before = time.time(), time.monotonic(), self._tokens()
        result = work()
        tokens = {role: total - before[role] for role, total in self._tokens().items()}
        return result, Effort(began, time.monotonic() - since, probes, tokens)

    def _tokens(self) -> dict[str, int]:
        return {role: engine.tokens for role, engine in self.engines.items()}
