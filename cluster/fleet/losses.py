"""Engines that crashed, counted by deployment: too many in a row, and it is given up. Preemptions are not counted."""

from collections.abc import Iterable, Mapping

from ray.exceptions import OutOfMemoryError

from cotfaith.cluster.fleet.deployments import Deployment, Setup
from cotfaith.cluster.fleet.error_text import first_line

_MAX_LOSSES = 3  # in a row, without a finished job between them


class Losses:
    """The losses of each deployment since a job was last finished on it."""

    def __init__(self, setups: Mapping[str, Setup]) -> None:
        self._setups = setups
        self._counts: dict[Deployment, int] = {}

    def add(self, deployment: Deployment) -> bool:
        """Count one; return whether too many were lost one after another."""
        self._counts[deployment] = self._counts.get(deployment, 0) + 1
        return self._counts[deployment] > self._limit(deployment)

    def _limit(self, deployment: Deployment) -> int:
        resources = self._setups[deployment.model].resources
        halvings = resources.shard_size.bit_length()  # until the item that ends its engine is found
        return _MAX_LOSSES * resources.replicas.max + resources.attempts + halvings

    def reset(self, deployments: Iterable[Deployment]) -> None:
        """Count from 0 again: a job has finished on these."""
        self._counts |= dict.fromkeys(deployments, 0)


def loss_text(deployment: Deployment, error: Exception) -> str:
    """Return why a deployment is given up, in one line."""
    # Ray's text on memory begins with what happened and ends with advice; others end with the cause.
    reason = first_line(error, last=not isinstance(error, OutOfMemoryError))
    return f"The engine of {deployment.words} cannot be kept up: {reason}"
