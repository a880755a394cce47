"""The engine actors that are a deployment's replicas, as the scheduler sees them. Starts and ends nothing."""

from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.fleet.deployments import Deployment
from cotfaith.workers.engines.protocol import Capabilities


@dataclass(eq=False)
class Replica:
    """One engine actor of a deployment."""

    name: str
    deployment: Deployment
    actor: Any
    """The backend's handle."""
    capabilities: Capabilities | None = None
    busy: int = 0
    """Jobs for which it is the engine that answers."""
    exclusive: bool = False
    """Whether it takes no other job while one runs on it."""
    helping: int = 0
    """Jobs for which it is another engine than the one that answers."""
    place: Any = None
    """The placement group that it is in, if it is a helper's."""
    node: str | None = None
    """The node that it is on; None: not known yet."""
    leaving: bool = False
    """Whether its node drains or is gone: it takes no new jobs, and another has its place in the deployment."""
    located_s: float = 0.0
    """When its node was last asked for, by the backend's clock."""
    since_s: float = 0.0
    """When it was asked for, by the backend's clock."""
    idle_since_s: float = 0.0
    """Since when no job uses it, by the backend's clock."""
    held_until_s: float = 0.0
    """Until when it gets no job, because the store failed a job of it."""
    served_s: float = 0.0
    """Seconds that each job which it had all the time would have got so far, if those that it has share it equally."""
    served_at_s: float = 0.0
    """Until when these are counted, by the backend's clock."""

    def serve(self, now_s: float) -> float:
        """Count ``served_s`` until now, and return it; before ``busy`` changes this must be called."""
        self.served_s += (now_s - self.served_at_s) / max(1, self.busy)
        self.served_at_s = now_s
        return self.served_s

    @property
    def is_up(self) -> bool:
        """Whether its weights are loaded, and its node stays."""
        return self.capabilities is not None and not self.leaving
