"""Sums over items, and the size of the pseudo-items that intervals add to them; ``stats/intervals.py`` says what for.

Knows nothing about tables. Shapes: G = estimates (any shape), I = items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds

Floats = npt.NDArray[np.float64]
TAIL = 0.025
"""The one-sided level of a 95% interval."""
POWER = 0.8


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
        squares = divided(num * num, den) if squares_IG is None else np.asarray(squares_IG, dtype=np.float64)
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
        return divided(self.den**2, self.den2)


def residuals(sums: Sums, bounds: Bounds, a: float | Floats, m: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the ratio, the sum of squared residuals and the denominator, with pseudo-items of size ``m``."""
    lo, hi = bounds
    num, den = sums.num + a * m * (lo + hi), sums.den + 2 * a * m
    num2 = sums.num2 + a * m**2 * (lo**2 + hi**2)
    cross, den2 = sums.cross + a * m**2 * (lo + hi), sums.den2 + 2 * a * m**2
    ratio = divided(num, den)
    return ratio, np.maximum(num2 - 2 * ratio * cross + ratio**2 * den2, 0.0), den


def pseudo_size(sums: Sums, bounds: Bounds, a: float | Floats) -> Floats:
    """Return the design effect: how many chains of an item count for one, at least 1, at most m0."""
    m = divided(sums.den2, sums.den)
    ratio, of_items, _ = residuals(sums, bounds, a, m)
    of_chains = np.maximum(sums.squares - 2 * ratio * sums.num + ratio**2 * sums.den, 0.0)
    pseudo = a * m * ((bounds[1] - ratio) ** 2 + (bounds[0] - ratio) ** 2)
    found: Floats = np.clip(divided(of_items, of_chains + pseudo), np.minimum(1.0, m), m)
    return found


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Return the exact two-sided interval of a proportion: ``successes`` in ``n`` independent trials."""
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def divided(a: Floats, b: Floats) -> Floats:
    """Return a / b, and 0 where b is 0."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)
