"""The cluster's nodes, as the backend reports them: which are gone, and which will leave. Starts and ends nothing.

A preemption is told by Ray's signals only: the mark or type of an error, and the state of a node. The texts of errors
are not read. A node that died without notice counts as preempted: Ray cannot tell a machine that the cloud took away
from one that crashed.
"""

from collections.abc import Mapping

from ray.exceptions import NodeDiedError

from cotfaith.cluster.fleet.backend import Backend

_EVERY_S = 1.0
_SOON_S = 0.05
"""A view that is newer is not renewed: many engines are lost with one node."""


class Nodes:
    """A view of the nodes, which is renewed about once a second."""

    def __init__(self, backend: Backend, every_s: float = _EVERY_S) -> None:
        self._backend = backend
        self._every_s = every_s
        self._last_s = self._next_s = -1.0
        self._alive: Mapping[str, Mapping[str, float]] = {}
        self.dead: frozenset[str] = frozenset()
        """All nodes that have died."""
        self.leaving: Mapping[str, float | None] = {}
        """Node that drains -> the seconds that it has left; None: it named no time."""

    def refresh(self, now: bool = False) -> bool:
        """Renew the view if it is old, or ``now``; return whether it was renewed."""
        time_s = self._backend.now()
        if time_s < (self._last_s + _SOON_S if now else self._next_s):
            return False
        self._last_s, self._next_s = time_s, time_s + self._every_s
        found = self._backend.nodes()
        if found is None:  # the head is busy: the next try is soon
            return False
        self._alive, self.dead, self.leaving = found
        return True

    @property
    def stay(self) -> list[Mapping[str, float]]:
        """What each node that lives and does not drain has, used or not."""
        return [has for node, has in self._alive.items() if node not in self.leaving]

    def are_several(self) -> bool:
        """Return whether more than one node is alive, as far as is known."""
        return len(self._alive) > 1

    def any_leaves(self) -> bool:
        """Return whether any node drains."""
        return bool(self.leaving)

    def will_leave(self, node: str | None) -> bool:
        """Return whether the node drains: its work should move, and no new work goes there."""
        return node in self.leaving

    def is_lost(self, node: str | None) -> bool:
        """Return whether the node is dead or will be."""
        return node in self.dead or self.will_leave(node)

    def left_s(self, node: str) -> float | None:
        """Return the seconds that a draining node has left; None: it named no time."""
        return self.leaving.get(node)

    def took(self, node: str | None, error: BaseException) -> bool:
        """Return whether ``error`` came from the loss of a node: ``node``, if it is given, or the error's own."""
        cause = getattr(error, "cause", None) or error
        if getattr(cause, "preempted", False) or isinstance(cause, NodeDiedError):
            return True
        self.refresh(now=True)
        return self.is_lost(node)

    def had_notice(self, node: str | None, error: BaseException) -> bool:
        """Return whether the node was known to leave: Ray says so in the error, or the node still drains."""
        cause = getattr(error, "cause", None) or error
        return getattr(cause, "preempted", False) or self.will_leave(node)
