"""The jobs of a run that wait, and how many jobs still need each deployment. Knows nothing about Ray."""

from collections import Counter, deque
from collections.abc import Sequence

from cotfaith.cluster.fleet.attempts import Pending
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.plan.plan import Plan


class Queues:
    """A queue for each deployment that answers."""

    def __init__(self, pending: Sequence[Pending]) -> None:
        self.waiting: dict[Deployment, deque[Pending]] = {}
        for one in pending:
            self.waiting.setdefault(one.needs[SUBJECT], deque()).append(one)
        self.left = Counter(deployment for one in pending for deployment in one.needs.values())
        """Jobs that still need a deployment."""

    def queue(self, pending: Pending) -> deque[Pending]:
        """Return the queue that a job belongs to."""
        return self.waiting[pending.needs[SUBJECT]]

    def done(self, pending: Pending) -> None:
        """Count a job that was done."""
        self.replace(pending, [])

    def replace(self, pending: Pending, others: Sequence[Pending]) -> None:
        """Count the jobs that take the place of one."""
        self.left += Counter(one for new in others for one in new.needs.values())
        self.left -= Counter(pending.needs.values())

    def drop(self, plan: Plan, given_up: GivenUp) -> bool:
        """Leave out what needs an engine that is given up; return whether there was any."""
        found = False
        for deployment, queue in self.waiting.items() if given_up.reasons else ():
            stopped = [one for one in queue if given_up.stops(one)]
            if stopped:
                found = True
                self.waiting[deployment] = deque(one for one in queue if not given_up.stops(one))
            for pending in stopped:
                left = given_up.without(plan, pending)
                self.waiting[deployment] += left
                self.replace(pending, left)
        return found
