"""Places in the cluster, which are reserved: one for each deployment of a helper, as long as it lasts, and one for each
engine that shares its weights between several GPUs (tensor parallel).

Without the first, a subject's actor that waits for room could take the place of a helper that was lost, and the two
would wait for each other forever. A place on a node that leaves is made again elsewhere.
"""

from collections.abc import Mapping
from typing import Any

from cotfaith.cluster.fleet.backend import Backend
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment
from cotfaith.cluster.fleet.replica import Replica


class Places:
    """The place of each helper."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._groups: dict[Deployment, Any] = {}

    def reserve(self, deployment: Deployment, asked: Mapping[str, float]) -> Any:
        """Return the deployment's place, made if there is none; None for a subject, and if nothing is asked for."""
        if deployment.role != SUBJECT and asked and deployment not in self._groups:
            self._groups[deployment] = self._backend.reserve(asked)
        return self._groups.get(deployment)

    def seat(self, asked: Mapping[str, float]) -> Any:
        """Return a place for one actor with several GPUs; None for others.

        A reservation is made whole, on one node: GPUs that become free one by one are not lost to smaller engines.
        """
        return self._backend.reserve(asked) if asked.get("GPU", 0) > 1 else None

    def are_ready(self) -> bool:
        """Return whether every place is reserved, so that no other actor can take it."""
        return all(self._backend.is_made(place) for place in self._groups.values())

    def forsake(self, replica: Replica) -> None:
        """Give the deployment's next actor a place on another node than this one's."""
        if replica.place is not None and self._groups.get(replica.deployment) is replica.place:
            del self._groups[replica.deployment]

    def leave(self, replica: Replica) -> None:
        """Release the place of an actor that has ended, unless the next one gets it."""
        if replica.place is not None and replica.place is not self._groups.get(replica.deployment):
            self._backend.release(replica.place)

    def release(self, deployment: Deployment) -> None:
        """Release the deployment's place."""
        if deployment in self._groups:
            self._backend.release(self._groups.pop(deployment))
