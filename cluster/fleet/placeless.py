"""Engines that no node of the cluster can ever hold: what is said, how long they wait, and when they are given up.

In: the nodes, and what each deployment asks for. Out: lines for the user; deployments whose wait is over, with reasons.
A deployment has a place if some node that stays could hold one of its actors when empty, and the cluster could hold it
beside the helpers that have one. A place that others use now is a place: for that a run waits without end. After the
cluster had a place, a wait starts anew.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from cotfaith.cluster.fleet.autoscaler import Autoscaler, find_autoscaler
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment

WAIT_MINUTES = 10.0
"""The wait on a cluster to which nodes are added by hand, or by a fleet that Ray does not know."""
AUTOSCALER_MINUTES = 30.0
Resources = Mapping[str, float]


@dataclass
class Placeless:
    """The deployments that wait for a node that can hold them."""

    wait_minutes: float | None
    """The spec's; None: by whether the cluster starts nodes."""
    say: Callable[[str], None]
    find: Callable[[], Autoscaler] = find_autoscaler
    _since_s: dict[Deployment, float] = field(default_factory=dict)
    _limit_s: dict[Deployment, float] = field(default_factory=dict)

    def overdue(self, waiting: Mapping[Deployment, Resources], nodes: Sequence[Resources]) -> dict[Deployment, str]:
        """Return the deployments whose wait is over, with reasons; say which waits begin.

        Args:
            waiting: what an actor of each deployment that is not up asks for, and of each helper.
            nodes: what each node that stays has, used or not.

        """
        lacking = {one: why for one in waiting if (why := _why(one, waiting, nodes))}
        for one in self._since_s.keys() - lacking.keys():
            del self._since_s[one]
        for one in lacking.keys() - self._since_s.keys():
            self._begin(one, lacking[one], waiting[one])
        over = [one for one in lacking if monotonic() - self._since_s[one] >= self._limit_s[one]]
        return {one: f"{lacking[one]} No node that can came within {_minutes(self._limit_s[one])}." for one in over}

    def _begin(self, one: Deployment, why: str, asked: Resources) -> None:
        found = self.find()
        default = AUTOSCALER_MINUTES if found.present else WAIT_MINUTES
        self._since_s[one] = monotonic()
        self._limit_s[one] = 60 * (default if self.wait_minutes is None else self.wait_minutes)
        if self._limit_s[one]:
            wait = f"Waiting up to {_minutes(self._limit_s[one])} for one (resources.wait_minutes)."
            self.say(" ".join(filter(None, [why, _hope(found, asked), wait])))


def _why(one: Deployment, waiting: Mapping[Deployment, Resources], nodes: Sequence[Resources]) -> str:
    """Return why the cluster can never hold the deployment; "" if it can."""
    asked, placed = waiting[one], [other for other in waiting if any(_holds(node, waiting[other]) for node in nodes)]
    if one not in placed:
        return f"No node of the cluster can hold the engine of {one.words}, which asks for {_words(asked)}."
    beside = [other for other in placed if other.role != SUBJECT] if one.role == SUBJECT else []
    together = _sum([asked, *(waiting[other] for other in beside)])
    if not _holds(_sum(nodes), together):
        helpers = " and ".join(other.words for other in beside)
        return f"The cluster cannot hold {one.words} beside {helpers}: together they ask for {_words(together)}."
    return ""


def _holds(has: Resources, asked: Resources) -> bool:
    return all(has.get(name, 0) + 1e-9 >= n for name, n in asked.items())


def _sum(parts: Iterable[Resources]) -> Resources:
    total: dict[str, float] = {}
    for part in parts:
        for name, n in part.items():
            total[name] = total.get(name, 0) + n
    return total


def _hope(found: Autoscaler, asked: Resources) -> str:
    if not found.present:
        return ""
    if found.declared and not any(_holds(node, asked) for node in found.declared):
        return "The cluster starts nodes by itself, but declares none that can."
    return "The cluster starts nodes by itself."


def _words(asked: Resources) -> str:
    return " and ".join(f"{n:g} {name}s" for name, n in asked.items()) or "no resources"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes"
