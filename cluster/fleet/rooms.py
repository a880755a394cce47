"""Which engines can take another job: by deployment, those with the fewest jobs first. Knows nothing about Ray."""

from cotfaith.cluster.fleet.deployments import Deployment
from cotfaith.cluster.fleet.replica import Replica


class Rooms:
    """The engines that are up, by how many jobs they answer in."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight = in_flight
        self._by_count: dict[Deployment, list[dict[Replica, None]]] = {}
        self._up: dict[Deployment, set[Replica]] = {}

    def add(self, replica: Replica) -> None:
        """Take an engine that came up, or whose count of jobs changed, to where it belongs."""
        counts = self._by_count.setdefault(replica.deployment, [{} for _ in range(self._in_flight)])
        self.remove(replica)
        if not replica.is_up:
            return
        self._up.setdefault(replica.deployment, set()).add(replica)
        if replica.busy < self._in_flight and not replica.exclusive:
            counts[replica.busy][replica] = None

    def remove(self, replica: Replica) -> None:
        """Give it no more jobs."""
        self._up.get(replica.deployment, set()).discard(replica)
        for found in self._by_count.get(replica.deployment, ()):
            found.pop(replica, None)

    def n_up(self, deployment: Deployment) -> int:
        """Return how many engines of the deployment are up."""
        return len(self._up.get(deployment, ()))

    def free(self, deployment: Deployment, alone: bool, now_s: float) -> Replica | None:
        """Return the engine with the fewest jobs, which can take one more; ``alone``: one without any."""
        counts = self._by_count.get(deployment, [])
        for found in counts[:1] if alone else counts:
            if (chosen := next((one for one in found if one.held_until_s <= now_s), None)) is not None:
                return chosen
        return None

    def idle(self, deployment: Deployment) -> list[Replica]:
        """Return the engines without a job."""
        counts = self._by_count.get(deployment)
        return list(counts[0]) if counts else []
