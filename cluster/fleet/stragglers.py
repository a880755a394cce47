"""Jobs that take much longer than others like them, near the end of a run: they are issued again.

In: how long jobs took, and those that run while no job waits. Out: the jobs to issue again, the latest first. Of the
attempts at a job the first commit of each part wins; the others are let go. A job's time is what it got of its engine:
of two that share one, each gets half of the time that passes. Knows nothing about Ray.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from cotfaith.cluster.fleet.attempts import Pending
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment
from cotfaith.cluster.fleet.replica import Replica

FACTOR = 1.5
"""A job is late once its newest attempt took so many times as long as the median of its deployment, item for item."""
MOST = 3
"""Attempts at one job at a time."""
_ENOUGH, _KEPT = 5, 200
"""Jobs that must be done before one is taken as late, and whose times are kept."""


@dataclass(eq=False)
class Attempt:
    """One try at a job, which runs."""

    number: int
    pending: Pending
    replicas: dict[str, Replica]
    served_before_s: float
    """What its engine had served when it began (``Replica.serve``)."""
    size: int
    """Bytes on its way."""
    dead: frozenset[str] = frozenset()
    """The nodes that were dead when it began."""

    @property
    def answers(self) -> Replica:
        """The engine that answers."""
        return self.replicas[SUBJECT]

    def seconds(self, now_s: float) -> float:
        """Return what it has got of its engine so far."""
        return self.answers.serve(now_s) - self.served_before_s


@dataclass
class Times:
    """How long the latest jobs of each deployment took."""

    _seconds: defaultdict[Deployment, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=_KEPT))
    )
    """Per item."""

    def add(self, deployment: Deployment, items: int, seconds: float) -> None:
        """Note what a job that was done got of its engine."""
        self._seconds[deployment].append(seconds / max(1, items))

    def usual(self, deployment: Deployment, items: int) -> float | None:
        """Return the seconds that a job of so many items usually takes; None: too few are done."""
        found = self._seconds.get(deployment, ())
        return median(found) * items if len(found) >= _ENOUGH else None

    def late(self, deployment: Deployment, running: Iterable[Attempt], now_s: float) -> list[Attempt]:
        """Return the jobs' newest attempts that are late, the latest first; a job that failed runs once at a time."""
        found: list[tuple[float, Attempt]] = []
        per_item = self.usual(deployment, 1)
        newest = {id(one.pending): one for one in running}  # attempts are in the order in which they began
        for one in newest.values() if per_item else ():
            usual = (per_item or 0.0) * len(one.pending.job.items)
            lateness = one.seconds(now_s) / usual if usual else 0.0
            if lateness > FACTOR and not one.pending.tries and one.pending.running < MOST:
                found.append((lateness, one))
        return [one for _, one in sorted(found, key=lambda pair: pair[0], reverse=True)]
