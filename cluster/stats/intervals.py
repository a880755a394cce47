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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from cotfaith.cluster.stats.pseudo import pseudo_weight

Bounds = tuple[float, float]
Floats = npt.NDArray[np.float64]
Kind = Literal[
    "linearised", "linearised_unbounded", "fieller", "too_few_items", "all_alike", "unbounded_ratio", "not_finite"
]
"""How an interval was made, or why there is none: fewer than two items, or no bounds and one item with almost all the
weight; no bounds and no differences; a ratio whose denominator is not told from 0; sums that are not numbers."""
TAIL = 0.025
"""The one-sided level of a 95% interval."""
POWER = 0.8
_FEWEST = 1.5
"""The least ``n_eff`` for an interval without bounds: with less, a t-interval has ends of any size."""
_LEAST = 1e-12
"""A relative variance that is no more than rounding."""


@dataclass(frozen=True)
class Sums:
    """Sums over the items that have a denominator, or for a ratio of means over all; arrays of shape G."""

    n: Floats
    """The number of items."""
    num: Floats
    den: Floats
    num2: Floats
    """Sum of the squared numerators."""
    cross: Floats
    """Sum of numerator times denominator."""
    den2: Floats
    squares: Floats
    """Sum of the squares of the single values behind the numerators."""

    @classmethod
    def of(cls, num_IG: npt.ArrayLike, den_IG: npt.ArrayLike, squares_IG: npt.ArrayLike | None = None) -> "Sums":
        """Return the sums over the first axis; items with 0 for both are left out.

        Without ``squares_IG`` all values of an item are taken as alike.
        """
        num, den = np.asarray(num_IG, dtype=np.float64), np.asarray(den_IG, dtype=np.float64)
        n = ((num != 0) | (den != 0)).sum(axis=0).astype(np.float64)
        squares = _divided(num * num, den) if squares_IG is None else np.asarray(squares_IG, dtype=np.float64)
        totals = (part.sum(axis=0) for part in (num, den, num * num, num * den, den * den, squares))
        return cls(n, *totals)

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> "Sums":
        """Return the sums in a line of a ``Tally``."""
        names = ("n", "num", "den", "num2", "cross", "den2", "squares")
        return cls(*(np.asarray(line[name], dtype=np.float64) for name in names))

    @property
    def n_eff(self) -> Floats:
        """The number of items of equal weight with as much information; 0 if there is no denominator."""
        return _divided(self.den**2, self.den2)


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


def linearised(sums: Sums, bounds: Bounds | None, tail: float = TAIL) -> tuple[Floats, Floats, Floats]:
    """Return low ends, high ends and smallest detectable effects (G); nan without an interval."""
    k, value = sums.n_eff, _divided(sums.num, sums.den)
    if bounds is None:
        ratio, squares, den, extra = *_residuals(sums, (0.0, 0.0), 0.0, k), 0
    else:
        a = pseudo_weight(tail)
        ratio, squares, den, extra = *_residuals(sums, bounds, a, pseudo_size(sums, bounds, a)), 2
    freedom = k - 1 + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(squares) / den * np.sqrt((k + extra) / freedom)
        enough = (sums.n >= 2) & (freedom > 0) & ((squares > _LEAST * sums.num2) | (extra > 0))
    t, power = _t(tail, freedom), _t(1 - POWER, freedom)
    low, high = np.minimum(ratio - t * error, value), np.maximum(ratio + t * error, value)
    if bounds is not None:
        low, high = np.maximum(low, np.minimum(bounds[0], value)), np.minimum(high, np.maximum(bounds[1], value))
    return _where(enough, low), _where(enough, high), _where(enough, (t + power) * error)


def _residuals(sums: Sums, bounds: Bounds, a: float, m: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the ratio, the sum of squared residuals and the denominator, with pseudo-items of size ``m``."""
    lo, hi = bounds
    num, den = sums.num + a * m * (lo + hi), sums.den + 2 * a * m
    num2 = sums.num2 + a * m**2 * (lo**2 + hi**2)
    cross, den2 = sums.cross + a * m**2 * (lo + hi), sums.den2 + 2 * a * m**2
    ratio = _divided(num, den)
    return ratio, np.maximum(num2 - 2 * ratio * cross + ratio**2 * den2, 0.0), den


def pseudo_size(sums: Sums, bounds: Bounds, a: float) -> Floats:
    """Return the design effect: how many chains of an item count for one, at least 1, at most m0."""
    m = _divided(sums.den2, sums.den)
    ratio, of_items, _ = _residuals(sums, bounds, a, m)
    of_chains = np.maximum(sums.squares - 2 * ratio * sums.num + ratio**2 * sums.den, 0.0)
    pseudo = a * m * ((bounds[1] - ratio) ** 2 + (bounds[0] - ratio) ** 2)
    found: Floats = np.clip(_divided(of_items, of_chains + pseudo), np.minimum(1.0, m), m)
    return found


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


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Return the exact two-sided interval of a proportion: ``successes`` in ``n`` independent trials."""
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def _ends(low: Floats, high: Floats, kind: Kind, lacking: Kind, detectable: Floats | None = None) -> Interval:
    if np.isnan(low) or np.isnan(high):
        return Interval(None, None, lacking)
    return Interval(float(low), float(high), kind, None if detectable is None else float(detectable))


def _divided(a: Floats, b: Floats) -> Floats:
    """Return a / b, and 0 where b is 0."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)


def _t(tail: float, freedom: Floats) -> Floats:
    found: Floats = stats.t.isf(tail, np.maximum(freedom, _LEAST))
    return found


def _where(found: npt.NDArray[np.bool_], values: Floats) -> Floats:
    return np.where(found, values, np.nan)
