"""Intervals of ratios of per-item sums, in closed form. Chains of one item are not independent: items are the units.

In: six sums and a count over items (``Sums``), for many estimates at once. Out: the ends of their intervals, and how
each was made. Differences are paired by construction: put the difference into the numerator. Knows nothing about
metrics or tables.

For a metric whose item values lie in [lo, hi] the linearised variance is taken with two pseudo-items, one at each
bound, whose weight depends on the level (a generalisation of the interval of Agresti and Coull 1998): without them a
rare event, or items that are all alike, leave the interval too narrow, or none. At one-sided level ``tail``:

    a  = ((sqrt(z^2 - 4 ln tail) - z) / 2)^2,  z = Phi^-1(1 - tail)     1.38 at .025, 2.94 at .05/600
    N  = sum num + a m (lo + hi)          D  = sum den + 2 a m
    N2 = sum num^2 + a m^2 (lo^2 + hi^2)  ND = sum num den + a m^2 (lo + hi)  D2 = sum den^2 + 2 a m^2
    r  = N / D,  v = (N2 - 2 r ND + r^2 D2) / D^2 * (k + 2) / (k + 1),  r -+ t(k + 1, tail) sqrt(v), within [lo, hi]

k is the number of items of equal weight with as much information, (sum den)^2 / sum den^2. m is the size of a
pseudo-item: as many chains as count for one because chains of one item are alike, which is the design effect

    m  = (N2 - 2 r ND + r^2 D2) / (sum of (value - r)^2 over all chains, and m0 a ((hi - r)^2 + (lo - r)^2))

with m0 = sum den^2 / sum den in its own place on the right, the denominator of the item that an average chain is of: m0
if the chains of an item are all alike, 1 if they have nothing in common. Pseudo-items of m0 chains would move the
interval by more than its width allows where they have little in common. Smaller ones would bound nothing where a few
items have most chains. The estimate itself stays sum num / sum den. Metrics without bounds have the plain linearised
interval, and ratios of two means Fieller's (1954).
``benchmarks/coverage_of_intervals.py`` prints how often each covers.

Shapes: G = estimates (any shape), I = items.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.pseudo import pseudo_weight, pseudo_weights
from cotfaith.cluster.stats.metrics.lib.sums import POWER as POWER
from cotfaith.cluster.stats.metrics.lib.sums import TAIL as TAIL
from cotfaith.cluster.stats.metrics.lib.sums import Floats as Floats
from cotfaith.cluster.stats.metrics.lib.sums import Sums as Sums
from cotfaith.cluster.stats.metrics.lib.sums import clopper_pearson as clopper_pearson
from cotfaith.cluster.stats.metrics.lib.sums import divided, pseudo_size, residuals

Kind = Literal[
    "linearised", "linearised_unbounded", "fieller", "too_few_items", "all_alike", "unbounded_ratio", "not_finite"
]
"""How an interval was made, or why there is none: fewer than two items, or no bounds and one item with almost all the
weight; no bounds and no differences; a ratio whose denominator is not told from 0; sums that are not numbers."""
_FEWEST = 1.5
"""The least ``n_eff`` for an interval without bounds: with less, a t-interval has ends of any size."""
_LEAST = 1e-12
"""A relative variance that is no more than rounding."""


@dataclass(frozen=True)
class Interval:
    """The ends of an interval, null if there is none, and the smallest effect that the items could have shown."""

    low: float | None
    high: float | None
    kind: Kind
    detectable: float | None = None
    """The smallest distance from a fixed value that a test at level .05 finds with a probability of .8."""


def interval(sums: Sums, bounds: Bounds | None, *, of_means: bool = False, tail: float = TAIL) -> Interval:
    """Return the interval of one estimate (G is no axis).

    Args:
        sums: its sums.
        bounds: the smallest and largest value that one item can have, or None if there are none.
        of_means: whether the denominator is itself a mean, so that an item with denominator 0 counts.
        tail: the probability of missing the value on either side.

    """
    if not np.isfinite([sums.num, sums.den, sums.num2, sums.cross, sums.den2, sums.squares]).all():
        return Interval(None, None, "not_finite")
    if sums.n < 2 or sums.den <= 0:
        return Interval(None, None, "too_few_items")
    if bounds is None and not of_means and sums.n_eff < _FEWEST:
        return Interval(None, None, "too_few_items")
    if of_means:
        low, high = fieller(sums, tail)
        return _ends(low, high, "fieller", "unbounded_ratio")
    low, high, error = linearised(sums, bounds, tail)
    if bounds is None:
        return _ends(low, high, "linearised_unbounded", "all_alike", error)
    return _ends(low, high, "linearised", "too_few_items", error)


def linearised(sums: Sums, bounds: Bounds | None, tail: float | Floats = TAIL) -> tuple[Floats, Floats, Floats]:
    """Return low ends, high ends and smallest detectable effects (G); nan without an interval.

    ``tail``: one level, or one for each estimate (G).
    """
    k, value = sums.n_eff, divided(sums.num, sums.den)
    if bounds is None:
        ratio, squares, den, extra = *residuals(sums, (0.0, 0.0), 0.0, k), 0
    else:
        a = pseudo_weight(tail) if isinstance(tail, float) else pseudo_weights(tail)
        ratio, squares, den, extra = *residuals(sums, bounds, a, pseudo_size(sums, bounds, a)), 2
    freedom = k - 1 + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(squares) / den * np.sqrt((k + extra) / freedom)
        enough = (sums.n >= 2) & (freedom > 0) & ((squares > _LEAST * sums.num2) | (extra > 0))
    t, power = _t(tail, freedom), _t(1 - POWER, freedom)
    low, high = np.minimum(ratio - t * error, value), np.maximum(ratio + t * error, value)
    if bounds is not None:
        low, high = np.maximum(low, np.minimum(bounds[0], value)), np.minimum(high, np.maximum(bounds[1], value))
    return _where(enough, low), _where(enough, high), _where(enough, (t + power) * error)


def fieller(sums: Sums, tail: float = TAIL) -> tuple[Floats, Floats]:
    """Return the ends (G) of the ratio of two means; nan if the mean below the line is not told from 0.

    They are the ratios r for which sum(num - r den) is within t standard errors of 0.
    """
    n, t2 = sums.n, _t(tail, sums.n - 1) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = n / (n - 1)
        v_num, v_den = scale * (sums.num2 - sums.num**2 / n), scale * (sums.den2 - sums.den**2 / n)
        v_cross = scale * (sums.cross - sums.num * sums.den / n)
        a, b, c = sums.den**2 - t2 * v_den, sums.num * sums.den - t2 * v_cross, sums.num**2 - t2 * v_num
        root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
        low, high = (b - root) / a, (b + root) / a
        found = (n >= 2) & (a > 0) & (high - low > _LEAST * np.abs(high))
    return _where(found, low), _where(found, high)


def _ends(low: Floats, high: Floats, kind: Kind, lacking: Kind, detectable: Floats | None = None) -> Interval:
    if np.isnan(low) or np.isnan(high):
        return Interval(None, None, lacking)
    return Interval(float(low), float(high), kind, None if detectable is None else float(detectable))


def _t(tail: float | Floats, freedom: Floats) -> Floats:
    """Return Student's t at a one-sided level: ``scipy.stats.t.isf`` without its checks, which take as long again."""
    found: Floats = -special.stdtrit(np.maximum(freedom, _LEAST), tail)
    return found


def _where(found: npt.NDArray[np.bool_], values: Floats) -> Floats:
    return np.where(found, values, np.nan)
