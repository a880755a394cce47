"""Shard tasks whose process died, until it is known whether their node died with it.

The death of a process is reported at once, and that of its node only after the health checks, in 14 s by default. Ray
does not say where a task ran, so a process that died shortly before any node did is taken as lost with that node.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

from ray.exceptions import WorkerCrashedError

from cotfaith.cluster.fleet.nodes import Nodes

VERDICT_S = 20.0
"""Seconds until a crash is taken as the task's own."""
J = TypeVar("J")


@dataclass(frozen=True)
class _Crash(Generic[J]):
    job: J
    error: Exception
    dead: frozenset[str]
    until_s: float


@dataclass
class Crashes(Generic[J]):
    """The jobs that wait for the verdict."""

    nodes: Nodes
    _open: list[_Crash[J]] = field(default_factory=list)

    def holds(self, job: J, error: Exception) -> bool:
        """Hold the job if ``error`` may come from the loss of its node; return whether it is held."""
        if not isinstance(error, WorkerCrashedError) or not self.nodes.are_several():
            return False
        self._open.append(_Crash(job, error, self.nodes.dead, monotonic() + VERDICT_S))
        return True

    def settle(self, lost: Callable[[J, Exception], None], crashed: Callable[[J, Exception], None]) -> None:
        """Give each job that has its verdict to ``lost`` or ``crashed``."""
        for one in list(self._open):
            gone = bool(self.nodes.dead - one.dead) or self.nodes.any_leaves()
            if gone or monotonic() > one.until_s:
                self._open.remove(one)
                (lost if gone else crashed)(one.job, one.error)
