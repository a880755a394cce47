"""Processes that died, until it is known whether their node was lost with them.

The death of a process is reported at once, and that of its node only after the health checks, in 14 s by default. So on
a cluster of several nodes a crash waits for the verdict: its node dies or drains, by Ray's table of nodes, or it stays.
Ray does not say where a task ran: its process is taken as lost with any node that is lost in that time. On one node
nothing waits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ray.exceptions import RayActorError, WorkerCrashedError

from cotfaith.cluster.fleet.nodes import Nodes
from cotfaith.schemas.errors import EngineLostError

VERDICT_S = 20.0
"""Seconds until a crash is taken as the process's own."""


@dataclass(frozen=True, eq=False)
class _Crash:
    node: str | None
    dead: frozenset[str]
    """The nodes that were dead before."""
    until_s: float
    lost: Callable[[], None]
    crashed: Callable[[], None]


@dataclass
class Crashes:
    """The crashes that wait for the verdict."""

    nodes: Nodes
    now: Callable[[], float]
    _open: list[_Crash] = field(default_factory=list)

    def judge(
        self,
        error: Exception,
        node: str | None,
        lost: Callable[[], None],
        crashed: Callable[[], None],
        dead: frozenset[str] | None = None,
    ) -> None:
        """Call ``lost`` if ``node`` was lost, else ``crashed``: at once if that is known, else from ``settle``.

        ``node`` is where the process was; None: not known. ``dead``: the nodes that were dead when it began; None:
        those that are dead now.
        """
        took = self.nodes.took(node, error)
        one = _Crash(node, self.nodes.dead if dead is None else dead, self.now() + VERDICT_S, lost, crashed)
        if took or (_ended(error) and self._lost(one)):
            lost()
        elif _ended(error) and self.nodes.are_several():
            self._open.append(one)
        else:
            crashed()

    def settle(self) -> None:
        """Call what was asked for each crash that has its verdict."""
        for one in list(self._open):
            lost = self._lost(one)
            if lost or self.now() > one.until_s:
                self._open.remove(one)
                (one.lost if lost else one.crashed)()

    def _lost(self, one: _Crash) -> bool:
        if one.node is not None:
            return self.nodes.is_lost(one.node)
        return bool(self.nodes.dead - one.dead) or self.nodes.any_leaves()


def _ended(error: Exception) -> bool:
    """Return whether a process ended, for whatever reason; an actor that failed to start has said why."""
    if isinstance(error, RayActorError):
        return not error.actor_init_failed
    return isinstance(error, (WorkerCrashedError, EngineLostError))
