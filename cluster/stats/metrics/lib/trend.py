"""Whether a figure rises or falls with difficulty: the slope of its items' values over the rank of their difficulty.

In: the sums of a metric's items at each difficulty. Out: the slope per level, with its interval. Levels are ranked from
the easiest, 0, 1, 2, ...: a task's unit of difficulty need not be even, and may be 0 or below. The slope is that of
least squares, where each item has the weight of its chains:

    b = S_xy / S_xx,  S_xy = sum (x - mean x) num,  S_xx = sum (x - mean x)^2 den
    v = sum over items ((x - mean x) (num - (r + b (x - mean x)) den))^2 / S_xx^2 * (k + 2) / k
    b -+ t(k, tail) sqrt(v),  r = sum num / sum den

k is the number of items of equal weight with as much information. As in ``stats/intervals.py``, two opposing
pseudo-items bound the interval where all items are alike; their weight is spread evenly over the levels. They move only
the interval.

Shapes: D = levels of difficulty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.pseudo import pseudo_weight
from cotfaith.cluster.stats.metrics.lib.summed import Line
from cotfaith.cluster.stats.metrics.lib.sums import POWER, TAIL, Floats, Sums, pseudo_size

_SUMS = ("num", "den", "num2", "cross", "den2", "squares")


@dataclass(frozen=True)
class Trend:
    """A slope per level of difficulty."""

    value: float
    low: float
    high: float
    n_eff: float
    detectable: float
    """As ``Interval.detectable``."""

    @property
    def direction(self) -> str:
        """What the interval says."""
        return "rising" if self.low > 0 else "falling" if self.high < 0 else "neither"


def trend(levels: Sequence[Line], bounds: Bounds, tail: float = TAIL) -> Trend:
    """Return the slope over at least two levels, which are in the order of their difficulty and have a value each."""
    sums = {name: np.array([line[name] for line in levels], dtype=np.float64) for name in _SUMS}
    value, _, _ = _slope(sums)
    k = float(sums["den"].sum() ** 2 / sums["den2"].sum())
    centre, error, width = _slope(_with_pseudo(sums, bounds, tail))
    error *= sqrt((k + 2) / k)
    t, power = (float(stats.t.isf(one, k)) for one in (tail, 1 - POWER))
    low, high = min(centre - t * error, value), max(centre + t * error, value)
    most = bounds[1] - bounds[0]
    assert width > 0, "two levels"
    return Trend(value, max(low, -most), min(high, most), k, (t + power) * error)


def _with_pseudo(sums: dict[str, Floats], bounds: Bounds, tail: float) -> dict[str, Floats]:
    """Return the sums with a part of each of the two pseudo-items at every level."""
    whole = Sums.of_line({name: sums[name].sum() for name in _SUMS} | {"n": 0})
    m, a, (lo, hi) = float(pseudo_size(whole, bounds, pseudo_weight(tail))), pseudo_weight(tail), bounds
    each = a / len(sums["den"])
    added = (m * (lo + hi), 2 * m, m**2 * (lo**2 + hi**2), m**2 * (lo + hi), 2 * m**2)
    return {name: sums[name] + each * more for name, more in zip(_SUMS, added, strict=False)}


def _slope(sums: dict[str, Floats]) -> tuple[float, float, float]:
    """Return the slope, its standard error, and S_xx."""
    num_D, den_D, num2_D, cross_D, den2_D = (sums[name] for name in _SUMS[:5])
    x_D = np.arange(len(den_D)) - float(np.arange(len(den_D)) @ den_D / den_D.sum())
    width = float(x_D**2 @ den_D)
    slope = float(x_D @ num_D) / width
    line_D = num_D.sum() / den_D.sum() + slope * x_D
    squares = float(x_D**2 @ np.maximum(num2_D - 2 * line_D * cross_D + line_D**2 * den2_D, 0.0))
    return slope, sqrt(squares) / width, width
