"""What becomes of a job that failed: tried again alone, halved, or its only item quarantined.

In: a queue, a job and its error. Out: the jobs that take its place, in the queue. When an engine is lost, nothing shows
which of its tasks was the cause; so a job that failed runs alone from then on. If it fails alone its halves are tried,
until the item that is the cause is found: the rest of its shard survives. A quarantined item is recorded in the run's
folder, so that no later run tries it again; the job that takes its place only writes rows that say so. Knows nothing
about Ray.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cotfaith.cluster.fleet.deployments import Needed
from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.cluster.fleet.events import Kind, RunEvent, Tell, tell_nobody
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.storage.read import read_log
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import Stage

MOST_IN_A_ROW = 8
"""The most items of a model that are quarantined without a job of it being done between them; then something else is
wrong."""
MOST_LOST_NODES = 10
"""Nodes without notice that a job may lose before more of them are charged: the job itself may bring its nodes down."""
MOST_STORE_FAILURES = 3
"""How often the store may fail a job, or jobs without one being done between them, before the run ends. Each call to a
store was tried again for minutes by then; but one node's way to it can be broken."""


@dataclass
class Pending:
    """A job, the deployments that it needs, and how often it was tried."""

    job: Job
    needs: Needed
    tries: int = 0
    """Attempts that failed. With one or more, it runs alone on its engine."""
    lost_nodes: int = 0
    """How often a node that it used was lost without notice."""
    store_failures: int = 0
    """How often the store failed it."""
    running: int = 0
    """Attempts at it that run now: more than one, if it was late."""


@dataclass
class Attempts:
    """Counts failures, and decides."""

    most: int
    """The attempts at one item."""
    store: Store
    items: Mapping[str, Sequence[Item]]
    """Task -> its items."""
    say: Callable[[str], None]
    tell: Tell = tell_nobody
    quarantined: list[str] = field(default_factory=list)
    """Items that failed every attempt, each with its error."""
    _in_a_row: Counter[str] = field(default_factory=Counter)
    """By the model that answers."""
    _failures_of_store: int = 0
    """Jobs that the store failed since one was last done."""

    def done(self, pending: Pending) -> None:
        """Note that a job was done; one on a quarantined item does not count."""
        self._failures_of_store = 0
        if not pending.job.quarantined:
            self._in_a_row[pending.job.model] = 0

    def after(self, queue: deque[Pending], pending: Pending, error: Exception, charged: bool) -> list[Pending]:
        """Queue the jobs that take the place of one that failed, and return them.

        They are the job itself, its halves, or the job that writes rows without a try. One that was tried alone comes
        first again, so that a verdict on it does not wait for the end of the run.

        Raises:
            RunFailedError: too many items of its model failed every attempt, one after another.

        """
        alone, pending.tries = pending.tries > 0, pending.tries + charged
        self._tell("job_failed", pending, error=first_line(error), charged=charged)
        others = self._others(pending, error, halved=charged and alone and len(pending.job.items) > 1)
        if alone:
            queue.extendleft(reversed(others))
        else:
            queue.extend(others)
        return others

    def _others(self, pending: Pending, error: Exception, halved: bool) -> list[Pending]:
        name, reason = pending.job.name, first_line(error)
        if halved:
            self.say(f"{name}: attempt {pending.tries} failed ({reason}); trying its halves")
            self._tell("job_halved", pending)
            return [Pending(job, pending.needs, tries=1) for job in pending.job.halves()]
        if len(pending.job.items) > 1 or pending.tries < self.most:
            self.say(f"{name}: attempt {pending.tries} failed ({reason}); trying again")
            self._tell("job_retried", pending)
            return [pending]
        return [self._quarantine(pending, reason)]

    def after_lost_node(self, queue: deque[Pending], pending: Pending, error: Exception, notice: bool) -> list[Pending]:
        """Do the same for a job whose node was lost, with or without notice: it is done again, first and uncharged."""
        pending.lost_nodes += not notice
        if pending.lost_nodes > MOST_LOST_NODES:
            return self.after(queue, pending, error, charged=True)
        self.say(f"{pending.job.name}: its node was taken away; it is done again, and uses up no attempt")
        self._tell("job_preempted", pending, error=first_line(error), charged=False)
        queue.appendleft(pending)
        return [pending]

    def after_store(self, queue: deque[Pending], pending: Pending, error: Exception) -> bool:
        """Queue a job again that the store failed, uncharged; return False if the store fails too often for that."""
        pending.store_failures += 1
        self._failures_of_store += 1
        if pending.store_failures > MOST_STORE_FAILURES or self._failures_of_store > MOST_STORE_FAILURES:
            return False
        self.say(f"{pending.job.name}: the store failed ({first_line(error)}); it is done again")
        self._tell("job_failed", pending, error=first_line(error), charged=False)
        self._tell("job_retried", pending)
        queue.append(pending)
        return True

    def _quarantine(self, pending: Pending, reason: str) -> Pending:
        job, stage = pending.job, self._stage(pending.job)
        in_a_row = self._in_a_row[job.model] = self._in_a_row[job.model] + 1
        if job.is_given_up(stage) or in_a_row > MOST_IN_A_ROW:
            raise RunFailedError(
                f"{in_a_row} items in a row failed every attempt, the last with: {reason} Fix that; run it again to go "
                "on with the others."
            )
        index = next(at for at, item in enumerate(self.items[job.shard.task]) if item.id == job.items[0].id)
        record = job.quarantine(index, reason, pending.tries, stage)
        self.store.put(record.key, record.as_json())
        self.quarantined.append(f"{record.name}: {reason}")
        self.say(f"{record.name}: quarantined after {pending.tries} attempts ({reason})")
        self._tell("item_quarantined", pending, error=reason)
        return Pending(job.given_up(reason, stage), pending.needs)

    def _tell(self, kind: Kind, pending: Pending, error: str | None = None, charged: bool | None = None) -> None:
        self.tell(RunEvent(kind, job=pending.job, attempt=pending.tries, error=error, charged=charged))

    def _stage(self, job: Job) -> Stage:
        """Return what of the job's only item failed: its chains, unless they are all committed."""
        missing = read_log(self.store, job.shard).missing([job.items[0].id], job.wanted)
        return "chains" if any(piece.probe is None for piece in missing) else "probes"
