"""Drains this machine's node by Ray's own means, so that its work moves before the machine is taken away.

In: a cloud's notice. Out: the node is marked as preempted, with its deadline; Ray places nothing new on it, and runs
move their engines (``leaving``). Joins the cluster neither as a driver nor as a node.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

from ray.exceptions import RayError

from cotfaith.cluster.fleet.spot_notice import Notice
from cotfaith.schemas.errors import RunFailedError, SpecError

_CONNECT_S = 2.0
_TIMEOUT_S = 5.0
_AGAIN_S = 1.0


def drain(address: str | None, node: str | None, notice: Notice, say: Callable[[str], None]) -> str:
    """Drain the node; return its id. A cluster that does not answer is asked again until the notice's deadline.

    Raises:
        SpecError: several nodes run on this machine, and ``node`` names none.
        RunFailedError: the cluster did not accept it in time.

    """
    last = ""
    while True:
        try:
            return _drain(address, node, notice)
        except (OSError, RuntimeError, RayError) as error:
            words = f"{type(error).__name__}: {error}"
            if words != last:
                last = words
                say(f"Not drained yet: {last}. Trying again.")
        if time.time() >= notice.ends_s:
            raise RunFailedError(f"The node was not drained in time: {last}")
        time.sleep(_AGAIN_S)


def _drain(address: str | None, node: str | None, notice: Notice) -> str:
    from ray.core.generated import autoscaler_pb2

    words: Any = autoscaler_pb2
    client = _client(address)
    node = node or _this_node(client)
    reason = words.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    accepted, why = client.drain_node(node, reason, notice.reason, int(notice.ends_s * 1000), timeout=_TIMEOUT_S)
    if not accepted:
        raise RuntimeError(f"the cluster refused to drain node {node}: {why}")
    return node


def _client(address: str | None) -> Any:
    """Return a client of the cluster's head. Ray's own waits for minutes if nobody listens: that is tried first."""
    from ray import _raylet
    from ray._private import services

    raylet: Any = _raylet
    found = services.canonicalize_bootstrap_address(address or "auto")
    if found is None:
        raise RuntimeError("no Ray runs on this machine; set --address")
    host, _, port = found.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    return raylet.GcsClient(address=found)


def _this_node(client: Any) -> str:
    from ray import util

    ray_util: Any = util
    ip: str = ray_util.get_node_ip_address()
    alive = [(key, one) for key, one in client.get_all_node_info(timeout=_TIMEOUT_S).items() if one.state == 0]
    here: list[str] = [key.hex() for key, one in alive if one.node_manager_address == ip]
    if len(here) > 1:
        raise SpecError(f"{len(here)} Ray nodes run on this machine ({ip}): say which with --node-id.")
    if not here:
        raise RuntimeError(f"no node of the cluster has this machine's address ({ip}); set --node-id")
    return here[0]
