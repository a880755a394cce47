"""The cluster's nodes, as Ray reports them: which are gone, and which will leave. Starts and ends nothing.

A preemption is told by Ray's signals only: the mark or type of an error, and the state of a node. The texts of errors
are not read. A node that died without notice counts as preempted: Ray cannot tell a machine that the cloud took away
from one that crashed.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import NodeDiedError, RayError

_EVERY_S = 1.0
_TIMEOUT_S = 5.0


class Nodes:
    """A view of the nodes, which is renewed about once a second."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._next_s = 0.0
        self._alive = 0
        self.dead: frozenset[str] = frozenset()
        """All nodes that have died."""
        self._leaving: Mapping[str, int] = {}
        """Node -> when it ends, in milliseconds since the epoch; 0: unknown."""
        self.stay: list[Mapping[str, float]] = []
        """What each node that lives and does not drain has, used or not."""

    def refresh(self, now: bool = False) -> bool:
        """Renew the view if it is old, or ``now``; return whether it was renewed."""
        if not ray.is_initialized() or (time.monotonic() < self._next_s and not now):
            return False
        self._next_s = time.monotonic() + self._every_s
        try:
            self._see(_nodes(), _leaving())
        except RayError:  # the head is busy: the next try is soon
            return False
        return True

    def _see(self, nodes: Sequence[Mapping[str, Any]], leaving: Mapping[str, int]) -> None:
        self.dead = frozenset(node["NodeID"] for node in nodes if not node["Alive"])
        self._alive = len(nodes) - len(self.dead)
        self._leaving = leaving
        self.stay = [node["Resources"] for node in nodes if node["Alive"] and node["NodeID"] not in leaving]

    def are_several(self) -> bool:
        """Return whether more than one node is alive, as far as is known."""
        return self._alive > 1

    def any_leaves(self) -> bool:
        """Return whether any node drains."""
        return bool(self._leaving)

    def will_leave(self, node: str | None) -> bool:
        """Return whether the node drains: its work should move, and no new work goes there."""
        return node in self._leaving

    def is_lost(self, node: str | None) -> bool:
        """Return whether the node is dead or will be."""
        return node in self.dead or self.will_leave(node)

    def left_s(self, node: str) -> float | None:
        """Return the seconds that a draining node has left; None: it named no time."""
        ends_ms = self._leaving.get(node, 0)
        return ends_ms / 1000 - time.time() if ends_ms else None

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


def node_of(actor: Any) -> str | None:
    """Return the node that an actor was placed on, even if it is still starting or has died; None: it waits.

    An actor that waits in a node's queue names that node too, but has no port: it may be placed on another.
    """
    from ray._private import state

    found: Any = state.actors(actor._actor_id.hex())
    address = found.get("Address", {})
    return address.get("NodeID") or None if address.get("Port") else None


def _nodes() -> list[dict[str, Any]]:
    cluster: Any = ray
    found: list[dict[str, Any]] = cluster.nodes()
    return found


def _leaving() -> dict[str, int]:
    from ray._private.worker import global_worker

    worker: Any = global_worker
    found: dict[str, int] = worker.gcs_client.get_draining_nodes(timeout=_TIMEOUT_S)
    return found
