"""One shard's work on a CPU, beside an engine actor: run what is missing, and commit each part as it is finished.

A reader's job is the same work with another model in the subject's place, on chains that are committed.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.metering import MeteredEngine, metered
from cotfaith.cluster.fleet.writer import Effort, Writer
from cotfaith.cluster.storage.parts import read_part
from cotfaith.cluster.storage.read import read_commit
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas import keys
from cotfaith.schemas.records import Chain
from cotfaith.workers.engines.protocol import EngineUsage
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.shard.loop import Engines
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table, items_table, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import load_codec


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
    """Do the job; what is committed stays, whatever happens later."""
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
    """A job on its way."""

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
        with self._effort() as effort:
            chains = self._work.sample_chains(self.engines)
        items = self.job.items
        tables = [("items", items_table(self._key, items)), ("chains", chains_table(self._key, items, chains))]
        statuses = self.writer.commit(tables, None, effort[0])
        self.report.statuses.update(statuses)
        # Another attempt may have committed first: its chains are the run's.
        return chains if statuses else self._committed()

    def _committed(self) -> list[Chain]:
        commit = read_commit(self.writer.store, keys.commit(self.job.shard.id))
        part = next(p for p in commit["parts"] if p["table"] == "chains")
        return chains_from_table(read_part(self.writer.store, part, commit, self.job.run_id))

    def _probed(self, probes: tuple[str, ...], chains: Sequence[Chain]) -> None:
        """Run ``probes`` in common rounds and commit each; their time is of all of them together."""
        with self._effort(probes) as effort:
            rows = self._work.run_probes(chains, probes, self.engines)
        for probe in probes:
            table = observations_table(self._key, [row for row in rows if row.probe == probe])
            self.report.statuses.update(self.writer.commit([("observations", table)], probe, effort[0]))

    @contextmanager
    def _effort(self, probes: Sequence[str] = ()) -> Iterator[list[Effort]]:
        """Measure what the block takes; the list holds it when the block has ended."""
        began, since = time.time(), time.monotonic()
        before = self._tokens()
        measured: list[Effort] = []
        yield measured
        tokens = {role: total - before[role] for role, total in self._tokens().items()}
        measured.append(Effort(began, time.monotonic() - since, list(probes), tokens))

    def _tokens(self) -> dict[str, int]:
        return {role: engine.tokens for role, engine in self.engines.items()}
