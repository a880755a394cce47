"""The missing work of a run: one job for each shard, and one for each reader of its chains.

In: a plan, the run's record, and the keys of its commits. Out: jobs, which can be sent to other machines. Reads and
writes nothing.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.prompt_date import recorded_date
from cotfaith.cluster.plan.shards import Shard
from cotfaith.cluster.storage.store import absolute
from cotfaith.schemas import keys
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import GivenUp, RunRecord
from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.roles.editors import with_prompts


@dataclass(frozen=True)
class Job:
    """What one shard task is given."""

    run_id: str
    spec: RunSpec
    shard: Shard
    items: tuple[Item, ...]
    chains: bool
    """Whether the chains are missing."""
    probes: tuple[str, ...]
    """The probes that are missing."""
    reader: str | None = None
    """Model that answers in the subject's place; the chains are committed already."""

    @property
    def model(self) -> str:
        """The model whose engine answers."""
        return self.reader or self.shard.model

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.shard.id if self.reader is None else f"{self.shard.id} read by {self.reader}"

    def given_up(self, reason: str, attempts: int) -> GivenUp:
        """Return a record, with the present time, that the job failed every attempt."""
        shard, probe = self.shard, None if self.reader is None else self.probes[0]  # a reader's job is one probe
        return GivenUp(
            key=keys.given_up(shard.id, probe, self.reader),
            shard=shard.id,
            model=shard.model,
            task=shard.task,
            strategy=shard.strategy,
            start=shard.start,
            stop=shard.stop,
            probe=probe,
            reader=self.reader,
            name=self.name,
            reason=reason,
            attempts=attempts,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def missing_jobs(plan: Plan, run: RunRecord, committed: Set[str]) -> list[Job]:
    """Return a job for each shard whose chains or probes are not all committed; readers' parts do not count."""
    own = [probe.name for probe in plan.probes if not probe.readers]
    spec = _portable(plan, run)
    jobs = (
        _job(plan, run, spec, shard, keys.commit(shard.id) not in committed, _missing(shard, own, committed))
        for shard in plan.shards(run.shard_size)
    )
    return [job for job in jobs if job.chains or job.probes]


def _missing(shard: Shard, probes: list[str], committed: Set[str]) -> tuple[str, ...]:
    return tuple(name for name in probes if keys.commit(shard.id, name) not in committed)


def _job(
    plan: Plan,
    run: RunRecord,
    spec: RunSpec,
    shard: Shard,
    chains: bool,
    probes: tuple[str, ...],
    reader: str | None = None,
) -> Job:
    return Job(run.run_id, spec, shard, plan.items[shard.task][shard.start : shard.stop], chains, probes, reader)


def _portable(plan: Plan, run: RunRecord) -> RunSpec:
    """Return the spec with what other processes lack: the editor's prompt texts, the run's date, an absolute path."""
    spec = plan.spec
    prompts = spec.prompts.model_copy(update={"date": recorded_date(run)})
    output = spec.output.model_copy(update={"path": absolute(spec.output.path)})
    return spec.model_copy(update={"editor": with_prompts(spec.editor), "prompts": prompts, "output": output})


def missing_readings(plan: Plan, run: RunRecord, committed: Set[str]) -> list[Job]:
    """Return a job for each reader's part that is not committed and whose chains are."""
    spec = _portable(plan, run)
    return [
        _job(plan, run, spec, shard, False, (probe,), reader)
        for shard, probe, reader in all_readings(plan, run)
        if keys.commit(shard.id) in committed and keys.commit(shard.id, probe, reader) not in committed
    ]


def all_readings(plan: Plan, run: RunRecord) -> Iterator[tuple[Shard, str, str]]:
    """Yield (shard, probe, reader) for everything that readers do in the run."""
    shards = plan.shards(run.shard_size)
    for probe in plan.probes:
        for reader in probe.readers:
            yield from ((shard, probe.name, reader) for shard in shards)
