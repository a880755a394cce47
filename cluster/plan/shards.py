"""A shard: the unit of scheduling, commit and retry.

Knows nothing about the work on it.
"""

from dataclasses import dataclass

from cotfaith.schemas import keys
from cotfaith.schemas.spec import StrategyName


@dataclass(frozen=True)
class Shard:
    """A range of items of one task for one model."""

    model: str
    task: str
    strategy: StrategyName
    start: int
    stop: int

    @property
    def id(self) -> str:
        """Its name in commits and keys."""
        return keys.shard_id(self.model, self.task, self.strategy, self.start, self.stop)
