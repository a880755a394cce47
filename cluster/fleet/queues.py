"""The jobs of a run that wait, by the deployment that answers in them. Knows nothing about Ray.

Jobs are made when their turn comes: what waits is a source that knows how many it will give, and the few jobs that are
to be tried again.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cotfaith.cluster.fleet.attempts import Pending
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, needed, needed_for
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.stage_jobs import ModelJobs
from cotfaith.cluster.plan.plan import Plan

Divide = Callable[[Job], Sequence[Job]]


def whole(job: Job) -> Sequence[Job]:
    """Return the job as it is."""
    return (job,)


@dataclass
class Queue:
    """The jobs of one deployment that answers."""

    plan: Plan
    source: ModelJobs
    again: deque[Pending] = field(default_factory=deque)
    """Jobs that come before those of the source."""
    given_up: GivenUp = field(default_factory=GivenUp)
    divide: Divide = whole
    """Divides a job that is too large for one attempt, when its turn comes."""

    def __post_init__(self) -> None:
        probes = [probe for probe in self.plan.probes if probe.name in self.source.probes]
        self.needs = frozenset(needed_for(self.plan, self.source.model, probes).values())
        """What its jobs may need."""
        self.dropped = 0
        """Jobs that were left out, or out of which something was."""
        self.count, self._taken = len(self.source), 0
        self._jobs: Iterator[Job] | None = iter(self.source)

    def __len__(self) -> int:
        """Return how many jobs wait, as far as is known."""
        return len(self.again) + (0 if self._jobs is None else max(1, self.count - self._taken))

    def next(self) -> Pending | None:
        """Return the next job and leave it there; None: there is none."""
        while not self.again and self._jobs is not None:
            job = next(self._jobs, None)
            if job is None:
                self._jobs = None
            else:
                self._taken += 1
                for part in self.divide(job):
                    self.again.extend(self._left_of(Pending(part, needed(self.plan, part))))
        return self.again[0] if self.again else None

    def _left_of(self, pending: Pending) -> list[Pending]:
        if not self.given_up.stops(pending):
            return [pending]
        self.dropped += 1
        return self.given_up.without(self.plan, pending)

    def drop(self) -> None:
        """Leave out, of the jobs that are made, what needs something that is given up."""
        if any(self.given_up.stops(one) for one in self.again):
            self.again = deque(left for one in self.again for left in self._left_of(one))


class Queues:
    """A queue for each deployment that answers, and how many jobs that are made still need each deployment."""

    def __init__(
        self, plan: Plan, sources: Iterable[ModelJobs], given_up: GivenUp | None = None, divide: Divide = whole
    ) -> None:
        self.plan, self.given_up = plan, given_up or GivenUp()
        self.by_model = {
            Deployment(SUBJECT, one.model): Queue(plan, one, given_up=self.given_up, divide=divide)
            for one in sources
            if len(one)
        }
        self.working: Counter[Deployment] = Counter()
        """Jobs that run, or wait for a verdict, by what they need."""
        self._dropped = 0

    def queue(self, pending: Pending) -> Queue:
        """Return the queue that a job belongs to."""
        return self.by_model[pending.needs[SUBJECT]]

    def take(self, queue: Queue) -> Pending:
        """Return the queue's next job, which is there, and count it as one that is worked on."""
        pending = queue.again.popleft()
        self.working.update(pending.needs.values())
        return pending

    def counts(self) -> dict[str, int]:
        """Return how many jobs wait, by the model that answers, as far as is known."""
        return {deployment.model: len(queue) for deployment, queue in self.by_model.items()}

    def done(self, pending: Pending) -> None:
        """Count a job that was done, or that others in the queue replace."""
        self.working -= Counter(pending.needs.values())

    def waiting(self) -> int:
        """Return how many jobs wait, as far as is known."""
        return sum(map(len, self.by_model.values()))

    def are_left(self) -> bool:
        """Return whether any job is left: it waits, runs, or waits for a verdict."""
        return bool(self.working) or any(queue.next() is not None for queue in self.by_model.values())

    def need(self, deployment: Deployment) -> bool:
        """Return whether a job is left that needs the deployment, or may need it."""
        waits = any(deployment in one.needs and one.next() is not None for one in self.by_model.values())
        return waits or self.working[deployment] > 0

    def needs(self) -> list[Deployment]:
        """Return the deployments that jobs need: those that answer, each with its helpers."""
        waiting = [one for answers, queue in self.by_model.items() if len(queue) for one in (answers, *queue.needs)]
        return list(dict.fromkeys([*waiting, *self.working]))

    def drop(self) -> bool:
        """Leave out what needs something that is given up; return whether there was any since the last call."""
        if not self.given_up.reasons:
            return False
        for answers, queue in self.by_model.items():
            queue.drop()
            if answers in self.given_up.reasons:
                queue.next()  # nothing of it is left; what lacks rows is noted on the way
        before, self._dropped = self._dropped, sum(queue.dropped for queue in self.by_model.values())
        return self._dropped > before
