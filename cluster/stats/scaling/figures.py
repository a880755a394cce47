"""One metric of several models on the items that they share: values, and by how much each item moves each of them.

In: numerators and denominators by model and item. Out: ``Figures``; weighted sums of them, such as a slope or a
difference, have intervals because an item's moves add up over models. Knows nothing about metrics, tables or sizes.

The interval is that of ``stats/intervals.py``: linearised, with two opposing pseudo-items a model, written here with
the number of independent items k that a value rests on, (sum den)^2 / sum den^2, so that values of several models can
be weighted. At one-sided level ``tail``, with a = ``pseudo_weight(tail)`` and bounds [lo, hi]:

    v' = (k v + a (lo + hi)) / (k + 2a)        every item's move is multiplied by k / (k + 2a)
    own variance of the pseudo-items: (a ((lo - v')^2 + (hi - v')^2) + k (v - v')^2) / (k + 2a)^2

Shapes: M = models, I = items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cotfaith.cluster.stats.intervals import TAIL, Floats, Interval
from cotfaith.cluster.stats.inverted import two_sided_p
from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.pseudo import pseudo_weight

FEWEST = 2
"""The fewest independent items of a value with an interval."""


@dataclass(frozen=True)
class Figures:
    """The values of some models."""

    value_M: Floats  # noqa: N815
    """nan: the model has none."""
    moves_MI: Floats  # noqa: N815
    """By how much each item moves each value."""
    used_MI: npt.NDArray[np.bool_]  # noqa: N815
    """Which items each value rests on."""
    k_M: Floats  # noqa: N815
    """The number of independent items with as much information as a value has."""
    bounds: Bounds | None

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which models have a value that has an error: at least two items."""
        return ~np.isnan(self.value_M) & (self.k_M >= FEWEST * (1 - 1e-9))


class Term(NamedTuple):
    """A weighted sum of the values of some figures."""

    figures: Figures
    weight_M: Floats  # noqa: N815


@dataclass(frozen=True)
class Contrast:
    """A sum of terms over the same items, such as a slope. ``of`` has no weight on a value that is not known."""

    of: Sequence[Term]

    @property
    def value(self) -> float:
        """The sum."""
        return sum(float(term.weight_M @ np.nan_to_num(term.figures.value_M)) for term in self.of)

    @property
    def n_items(self) -> int:
        """The items that move it."""
        return int(np.count_nonzero(sum(np.abs(w_M) @ figures.used_MI for figures, w_M in self.of)))

    @property
    def how(self) -> str:
        """How its interval is made, or why there is none."""
        return self.at().kind

    def at(self, tail: float = TAIL) -> Interval:
        """Return its interval at a one-sided level."""
        centre, variance, k = self._pulled(tail)
        if not variance > 0:
            return Interval(None, None, "all_alike")
        reach, value = float(stats.t.isf(tail, k + 1)) * sqrt(variance), self.value
        return Interval(min(centre - reach, value), max(centre + reach, value), "linearised")

    @property
    def variance(self) -> float:
        """The variance behind its 95% interval."""
        return self._pulled(TAIL)[1]

    def _pulled(self, tail: float) -> tuple[float, float, float]:
        """Return the sum and its variance with pseudo-items, and the fewest independent items of a value in it."""
        found = [_pulled(term, tail) for term in self.of]
        moves_I = np.sum([one[1] for one in found], axis=0)
        variance = float(moves_I @ moves_I) + sum(one[2] for one in found)
        k = min((float(k) for term in self.of for k in term.figures.k_M[term.weight_M != 0]), default=1.0)
        return sum(one[0] for one in found), variance * (k + 2) / (k + 1), k

    @property
    def p_value(self) -> float | None:
        """The two-sided p-value of "it is 0"; None without an interval."""
        return two_sided_p(self.at)


def _pulled(term: Term, tail: float) -> tuple[float, Floats, float]:
    """Return the sum, the items' moves (I) and the pseudo-items' own variance, with pseudo-items."""
    figures, weight_M = term
    value_M, k_M = np.nan_to_num(figures.value_M), figures.k_M
    a, (lo, hi) = (0.0, (0.0, 0.0)) if figures.bounds is None else (pseudo_weight(tail), figures.bounds)
    whole_M = np.maximum(k_M + 2 * a, 1e-12)
    pulled_M = (k_M * value_M + a * (lo + hi)) / whole_M
    own_M = a * ((lo - pulled_M) ** 2 + (hi - pulled_M) ** 2) + k_M * (value_M - pulled_M) ** 2
    moves_I: Floats = (weight_M * k_M / whole_M) @ figures.moves_MI
    return float(weight_M @ pulled_M), moves_I, float(weight_M**2 @ (own_M / whole_M**2))


def as_measured(num_MI: Floats, den_MI: Floats, bounds: Bounds | None) -> Figures:
    """Return the models' ratios of sums over items."""
    den_M = den_MI.sum(axis=1)
    value_M = _divided(num_MI.sum(axis=1), den_M, np.nan)
    residuals_MI = num_MI - np.nan_to_num(value_M)[:, None] * den_MI
    return Figures(value_M, _divided(residuals_MI, den_M[:, None], 0.0), den_MI > 0, _independent(den_MI), bounds)


def _independent(den_MI: Floats) -> Floats:
    return _divided(den_MI.sum(axis=1) ** 2, (den_MI**2).sum(axis=1), 0.0)


def _divided(a: Floats, b: Floats, lacking: float) -> Floats:
    a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    found: Floats = np.divide(a, b, out=np.full(a.shape, lacking), where=b > 0)
    return found
