"""The scheduler's view of the machines: engines, places, nodes, jobs that run, and time. No Ray here.

``ray_backend.py`` is the real one; a benchmark simulates ten thousand GPUs behind the same protocol. Nothing blocks but
``events``: what was asked for comes back there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from cotfaith.cluster.fleet.deployments import Setup
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.workers.actor.noise import NoiseFloor
from cotfaith.workers.engines.protocol import Capabilities, EngineUsage

Description = tuple[Capabilities, Sequence[str], NoiseFloor]
"""What an engine that is up says of itself: its capabilities, its notes, and its noise floor."""


class CameUp(NamedTuple):
    """An engine loaded its weights, or could not."""

    engine: str
    """Its name."""
    found: Description | Exception


class Ended(NamedTuple):
    """A job was done, or failed."""

    number: int
    """What ``submit`` was called with."""
    found: ShardReport | Exception


class Used(NamedTuple):
    """An engine's answer to ``ask_usage``; none comes from one that is gone."""

    engine: str
    usage: EngineUsage


Event = CameUp | Ended | Used


class NodesNow(NamedTuple):
    """The cluster's nodes at one time."""

    alive: Mapping[str, Mapping[str, float]]
    """Node -> what it has, used or not."""
    dead: frozenset[str]
    leaving: Mapping[str, float | None]
    """Node that drains -> the seconds that it has left; None: it named no time."""


class Backend(Protocol):
    """Machines to run on. Handles of engines and places are the backend's own."""

    def now(self) -> float:
        """Return seconds by a clock that never goes back."""
        ...

    def start_engine(self, name: str, setup: Setup, plugins: Sequence[str], place: Any) -> Any:
        """Start an engine in ``place``, or anywhere if that is None; return its handle. ``CameUp`` follows."""
        ...

    def kill_engine(self, handle: Any) -> None:
        """End an engine."""
        ...

    def node_of(self, handle: Any) -> str | None:
        """Return the node that an engine was placed on, even if it is still starting or has died; None: it waits."""
        ...

    def ask_usage(self, name: str, handle: Any) -> None:
        """Ask an engine for its totals. ``Used`` follows, if it lives."""
        ...

    def reserve(self, asked: Mapping[str, float]) -> Any:
        """Ask for a place; return its handle."""
        ...

    def is_made(self, place: Any) -> bool:
        """Return whether a place is reserved."""
        ...

    def release(self, place: Any) -> None:
        """Give a place back."""
        ...

    def size(self, job: Job) -> int:
        """Return the bytes that a job takes on its way."""
        ...

    def submit(self, number: int, job: Job, engines: Mapping[str, tuple[Any, Capabilities]], node: str | None) -> None:
        """Run a job with the engines of its roles, near ``node``. ``Ended`` follows."""
        ...

    def cancel(self, number: int) -> None:
        """Let go of a job that runs: no ``Ended`` follows, and what it has not committed is lost."""
        ...

    def leave(self, node: str) -> None:
        """End what is idle on a node that drains: it waits for its last process."""
        ...

    def nodes(self) -> NodesNow | None:
        """Return the nodes now; None: the cluster does not answer."""
        ...

    def words(self, asked: Mapping[str, float]) -> str:
        """Return what an engine asks for, of how much the cluster has, in words."""
        ...

    def events(self, timeout_s: float) -> list[Event]:
        """Return what has happened; wait up to ``timeout_s`` for the first event."""
        ...

    def close(self) -> None:
        """End everything that is idle."""
        ...
