"""What becomes of a job that failed: tried again alone, halved, or its only item quarantined.

In: a job and its error. Out: the jobs that take its place. When an engine is lost, nothing shows which of its tasks was
the cause; so a job that failed runs alone from then on. If it fails alone its halves are tried, until the item that is
the cause is found: the rest of its shard survives. A quarantined item is recorded in the run's folder, so that no later
run tries it again; the job that takes its place only writes rows that say so. Knows nothing about Ray.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cotfaith.cluster.fleet.engine_pool import Deployment, first_line
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.records import Item

MOST_IN_A_ROW = 8
"""The most items that are quarantined without a job being done between them; then something else is wrong."""

Needed = dict[str, Deployment]
"""Role in a job -> the deployment that serves it."""


@dataclass
class Pending:
    """A job, the deployments that it needs, and how often it was tried."""

    job: Job
    needs: Needed
    tries: int = 0
    """Attempts that failed. With one or more, it runs alone on its engine."""
    lost_nodes: int = 0
    """How often a node that it used was lost without notice."""


@dataclass
class Attempts:
    """Counts failures, and decides."""

    most: int
    """The attempts at one item."""
    store: Store
    items: Mapping[str, Sequence[Item]]
    """Task -> its items."""
    say: Callable[[str], None]
    quarantined: list[str] = field(default_factory=list)
    """Items that failed every attempt, each with its error."""
    _in_a_row: int = 0

    def done(self, pending: Pending) -> None:
        """Note that a job was done; one on a quarantined item does not count."""
        if not pending.job.quarantined:
            self._in_a_row = 0

    def after(self, pending: Pending, error: Exception, charged: bool) -> list[Pending]:
        """Return the jobs that take the place of one that failed: itself, its halves, or rows without a try.

        Raises:
            RunFailedError: too many items failed every attempt, one after another.

        """
        alone, pending.tries = pending.tries > 0, pending.tries + charged
        name, several, reason = pending.job.name, len(pending.job.items) > 1, first_line(error)
        if charged and alone and several:
            self.say(f"{name}: attempt {pending.tries} failed ({reason}); trying its halves")
            return [Pending(job, pending.needs, tries=1) for job in pending.job.halves()]
        if several or pending.tries < self.most:
            self.say(f"{name}: attempt {pending.tries} failed ({reason}); trying again")
            return [pending]
        return [self._quarantine(pending, reason)]

    def _quarantine(self, pending: Pending, reason: str) -> Pending:
        job = pending.job
        self._in_a_row += 1
        if job.quarantined or self._in_a_row > MOST_IN_A_ROW:
            raise RunFailedError(
                f"{self._in_a_row} items in a row failed every attempt, the last with: {reason} Fix that; run it again "
                "to go on with the others."
            )
        index = next(at for at, item in enumerate(self.items[job.shard.task]) if item.id == job.items[0].id)
        record = job.quarantine(index, reason, pending.tries)
        self.store.put(record.key, record.as_json())
        self.quarantined.append(f"{record.name}: {reason}")
        self.say(f"{record.name}: quarantined after {pending.tries} attempts ({reason})")
        return Pending(job.given_up(reason), pending.needs)
