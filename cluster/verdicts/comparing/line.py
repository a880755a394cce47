"""One figure under two models: a line of a comparison."""

from dataclasses import dataclass

from cotfaith.cluster.stats.metrics.lib.metric import title
from cotfaith.cluster.verdicts.comparing.differences import Difference


@dataclass(frozen=True)
class Line:
    """One figure under both models."""

    task: str
    strategy: str
    variant: str
    channel: str | None
    metric: str
    method: str | None
    all: Difference
    """Over all items that have the figure on both sides."""
    matched: Difference | None
    """Over those of them at matched skill; None: skill is not known, or it is what is compared."""
    p_holm: float | None = None
    """The p-value of ``all``, corrected for all lines of the comparison."""

    @property
    def name(self) -> str:
        """The figure's full name."""
        return title(self.metric, self.method)
