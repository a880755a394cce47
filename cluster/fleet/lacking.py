"""What a run lacks, in one of two ways: from the states of its shards, or from all commits.

In: the maker of jobs, and the run's store. Out: the jobs of each stage, counts of them and the run's forecast. From
states is how runs go on: nothing is kept of a shard but a few bytes. All commits are kept in memory where states do not
say enough: for a repair, and for runs of old versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from cotfaith.cluster.fleet import stage_jobs
from cotfaith.cluster.fleet.forecast import Forecast, forecast_of, make_forecast
from cotfaith.cluster.fleet.jobs import Found, Jobs, Reading
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.fleet.stage_jobs import StageJobs, listed
from cotfaith.cluster.fleet.to_do import ToDo, expected, of_found, of_reading, of_subject
from cotfaith.cluster.storage.ledger import Ledger, Shard
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.run_states import RunStates
from cotfaith.cluster.storage.segments import LedgerWriter
from cotfaith.cluster.storage.store import Store


@dataclass(frozen=True)
class Part:
    """How much of something is done."""

    total: int
    left: int


class Lacking(Protocol):
    """What a run lacks."""

    jobs: Jobs

    def subjects(self) -> StageJobs:
        """Return the jobs of subjects."""
        ...

    def readers(self) -> StageJobs:
        """Return the jobs of readers, on what is committed now."""
        ...

    def counted(self, subjects: StageJobs) -> tuple[Part, Part]:
        """Return the shards, and the readings of them: how many there are, and how many are left."""
        ...

    def forecast(self, subjects: StageJobs) -> Forecast:
        """Return the forecast of the run: once, before any job is made."""
        ...

    def finished(self, report: ShardReport) -> None:
        """Take what a job did."""
        ...

    def close(self) -> None:
        """Keep what was learnt for the next run."""
        ...


@dataclass
class FromCommits:
    """What a run lacks, from all its commits."""

    jobs: Jobs
    store: Store

    def __post_init__(self) -> None:
        self.ledger: Ledger = read_ledger(self.store)

    def subjects(self) -> StageJobs:
        """Return the jobs of subjects."""
        return listed(self.jobs.of_subjects(self.ledger))

    def readers(self) -> StageJobs:
        """Return the jobs of readers; the commits are read again."""
        return listed(self.jobs.of_readers(read_ledger(self.store)))

    def counted(self, subjects: StageJobs) -> tuple[Part, Part]:
        """Return the shards, and the readings of them."""
        shards, readings = self.jobs.plan.shards(self.jobs.run), sum(1 for _ in self.jobs.readings())
        left = len({job.shard for job in subjects})
        return Part(len(shards), left), Part(readings, len(self.jobs.unread(self.ledger)))

    def forecast(self, subjects: StageJobs) -> Forecast:
        """Return the forecast of the run."""
        return make_forecast(self.jobs, list(subjects), self.ledger)

    def finished(self, report: ShardReport) -> None:
        """Take nothing: commits are read again."""

    def close(self) -> None:
        """Keep nothing."""


@dataclass
class FromStates:
    """What a run lacks, from the states of its shards."""

    jobs: Jobs
    store: Store
    to_do: ToDo = field(default_factory=ToDo)

    def __post_init__(self) -> None:
        plan, run = self.jobs.plan, self.jobs.run
        self.writer = LedgerWriter(self.store, run.run_id)
        self.states = RunStates(self.store, run, plan.groups, plan.resolved.reads)
        self.states.load(self.writer)

    def subjects(self) -> StageJobs:
        """Return the jobs of subjects."""
        return stage_jobs.subjects(self.jobs, self.states, self._look)

    def readers(self) -> StageJobs:
        """Return the jobs of readers. Commits are read of the shards whose workers did not say what they made."""
        self.states.renew(self.writer)
        self.to_do.later = expected(self.jobs, self.states)
        return stage_jobs.readers(self.jobs, self.states, self._look)

    def counted(self, subjects: StageJobs) -> tuple[Part, Part]:
        """Return the shards, and the readings of them."""
        shards = sum(self.states.n_shards(group) for group in self.jobs.plan.groups)
        return Part(shards, len(subjects)), Part(sum(self._of_readers.values()), sum(self._unread().values()))

    def forecast(self, subjects: StageJobs) -> Forecast:
        """Return the forecast of the run."""
        self.to_do.later = expected(self.jobs, self.states)
        readers = {one.reader for one, left in self._unread().items() if left}
        return forecast_of(self.jobs, self.to_do, [one.model for one in subjects.models], readers)

    def finished(self, report: ShardReport) -> None:
        """Take what a job did."""
        if report.committed is not None:
            self.states.take(report.committed, report.items)
            self.writer.add(report.committed)

    def close(self) -> None:
        """Write the states that are not written yet."""
        self.writer.flush()

    @cached_property
    def _of_readers(self) -> dict[Reading, int]:
        return {one: self.states.n_shards(one[:2]) for one in self.jobs.reading_groups()}

    def _unread(self) -> dict[Reading, int]:
        """Return how many shards each reader has not read all items of."""
        found = {}
        for one in self._of_readers:
            pieces = self.jobs.pieces(one.probe, one.reader)
            counts = self.states.counts(one[:2])
            found[one] = sum(shards for state, shards, _ in counts if not state.is_complete(pieces))
        return found

    def _look(self, shard: Shard, reading: Reading | None, found: Sequence[Found]) -> None:
        """Put what jobs have to do in the place of what was expected of their shard."""
        state, items = self.states.state(shard), shard.stop - shard.start
        if reading is None:
            self.to_do.begin(of_subject(self.jobs, shard[:2], state, items))
        else:
            self.to_do.begin(of_reading(self.jobs, reading, state, items))
        for one in found:
            self.to_do.add(shard, one.job.reader, len(one.job.items), of_found(one))
