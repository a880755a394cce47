"""Moves engines off nodes that will leave: replacements start at once, running jobs finish, idle actors end.

In: the engine pool. A node that drains waits for its last actor, so an actor without
work is ended. A node's deadline ends the actors that still work; their jobs are then done elsewhere.
"""

from typing import Any

from ray.exceptions import NodeDiedError

from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.nodes import Nodes


def move_off(pool: EnginePool, nodes: Nodes) -> bool:
    """Do what the nodes' state asks for, and return True; do nothing between two renewals of ``nodes``."""
    if not nodes.refresh():
        return False
    pool.locate()
    for replica in [one for one in pool.replicas() if one.node in nodes.dead] if nodes.dead else ():
        pool.replace(replica, _died())  # nobody else may notice
    for node in nodes.leaving:
        pool.backend.leave(node)
    for replica in [one for one in pool.replicas() if nodes.will_leave(one.node)] if nodes.leaving else ():
        assert replica.node is not None, "a node that leaves is known"
        left_s = nodes.left_s(replica.node)
        if not replica.leaving:
            pool.move(replica, _when(left_s))
        if not (replica.busy or replica.helping) or (left_s is not None and left_s <= 0):
            pool.end(replica)
    return True


def _when(left_s: float | None) -> str:
    return "soon" if left_s is None else f"in {max(0.0, left_s):.0f} s"


def _died() -> Exception:
    make: Any = NodeDiedError
    error: Exception = make("The engine's node is dead.")
    return error
