"""Values of several models at equal skill, weighted: ``metrics/lib/standardised.py`` has the method.

In: one metric's sums and skill by item and model. Out: ``Matched``, whose weighted sums have intervals. A value that is
not known has its reason. Knows nothing about sizes.

Shapes: M = models, R = rows, one for each item and model.
"""

from dataclasses import dataclass

import numpy as np

from cotfaith.cluster.stats.intervals import TAIL, Floats, Interval
from cotfaith.cluster.stats.inverted import two_sided_p
from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.measured import NO_SUPPORT, Measured
from cotfaith.cluster.stats.metrics.lib.standardised import Standardised, standardised
from cotfaith.cluster.stats.metrics.lib.strata import strata


@dataclass(frozen=True)
class Matched:
    """The values of some models over one distribution of skill."""

    found: Standardised
    how: str
    """What skill is, in the words of ``interval``."""
    bounds: Bounds
    support: float
    """The share of the models' items that the values rest on."""
    n_items: int


@dataclass(frozen=True)
class WeightedMatched:
    """A weighted sum of values at equal skill."""

    of: Matched
    weight_M: Floats  # noqa: N815

    @property
    def value(self) -> float:
        """The sum."""
        return float(self.weight_M @ self.of.found.value)

    @property
    def n_items(self) -> int:
        """The items behind it."""
        return self.of.n_items

    @property
    def how(self) -> str:
        """How its interval is made."""
        return self.of.how

    def at(self, tail: float = TAIL) -> Interval:
        """Return its interval at a one-sided level."""
        return Interval(*self.of.found.combined(self.weight_M, self.of.bounds, tail), "linearised")

    @property
    def p_value(self) -> float | None:
        """The two-sided p-value of "it is 0"."""
        return two_sided_p(self.at)


def matched(found: Measured | str, bounds: Bounds) -> Matched | str:
    """Return the values of the models, or why there are none."""
    if isinstance(found, str):
        return found
    stratum_R = strata(found.rows.skill)
    made = standardised(found.rows, stratum_R)
    if not made.support:
        return NO_SUPPORT
    left_R = np.isin(stratum_R, np.unique(stratum_R)[made.kept])
    return Matched(made, found.how, bounds, made.support * found.known, len(np.unique(found.rows.item[left_R])))
