"""The engine actors that are a deployment's replicas, as the scheduler sees them. Starts and ends nothing."""

from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.fleet.deployments import Deployment
from cotfaith.cluster.fleet.nodes import node_of
from cotfaith.workers.actor.remote import RemoteEngine
from cotfaith.workers.engines.protocol import Capabilities


@dataclass(eq=False)
class Replica:
    """One engine actor of a deployment."""

    name: str
    deployment: Deployment
    actor: Any
    ready: Any
    """Reference to its description; resolved once the weights are loaded."""
    capabilities: Capabilities | None = None
    busy: int = 0
    """Jobs for which it is the engine that answers."""
    exclusive: bool = False
    """Whether it takes no other job while one runs on it."""
    place: Any = None
    """The placement group that it is in, if it is a helper's."""
    node: str | None = None
    """The node that it is on; None: not known yet."""
    leaving: bool = False
    """Whether its node drains or is gone: it takes no new jobs, and another has its place in the deployment."""

    def remote(self) -> RemoteEngine:
        """Return its stand-in for a shard task."""
        assert self.capabilities is not None, "only engines that are up get jobs"
        return RemoteEngine(self.actor, self.capabilities)

    def locate(self, again: bool = False) -> None:
        """Ask Ray for its node if that is not known, or ``again``; until it is up, the node can change."""
        if self.actor is not None and (again or self.node is None or self.capabilities is None):
            self.node = node_of(self.actor)
