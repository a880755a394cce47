"""Engines that crashed, counted by deployment: too many in a row end the run. Preemptions are not counted here."""

from collections.abc import Iterable

from ray.exceptions import OutOfMemoryError

from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.cluster.fleet.replica import Deployment, Replica
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.spec import ResourceSpec

_MAX_LOSSES = 3  # in a row, without a finished job between them


class Losses:
    """The losses of each deployment since a job was last finished on it."""

    def __init__(self, resources: ResourceSpec) -> None:
        halvings = resources.shard_size.bit_length()  # until the item that ends its engine is found
        self._limit = _MAX_LOSSES * resources.replicas + resources.attempts + halvings
        self._counts: dict[Deployment, int] = {}

    def add(self, replica: Replica, error: Exception) -> None:
        """Count one.

        Raises:
            RunFailedError: it never came up, or too many were lost one after another.

        """
        n = self._counts[replica.deployment] = self._counts.get(replica.deployment, 0) + 1
        if replica.capabilities is None or n > self._limit:
            # Ray's text on memory begins with what happened and ends with advice; others end with the cause.
            reason = first_line(error, last=not isinstance(error, OutOfMemoryError))
            raise RunFailedError(f"The engine of model {replica.deployment.model!r} cannot be kept up: {reason}")

    def reset(self, deployments: Iterable[Deployment]) -> None:
        """Count from 0 again: a job has finished on these."""
        self._counts |= dict.fromkeys(deployments, 0)
