"""Means of several models over one distribution of skill: the mean in each stratum, averaged with shared weights.

In: one metric's sums by item and model, and the item's skill under that model. Out: ``Standardised``: each model's
value and the difference of two, with intervals. A stratum in which a model has fewer than ``FEWEST`` items is dropped
for all models; ``support`` is the share of rows that is left. methods.md, "Performance-conditioned faithfulness", 2.

With R_ms the mean of model m in stratum s, and w_s the share of all models' rows in s: value_m = sum over s of
w_s R_ms. Its variance is that of the linearised parts of the items; an item that several models answered counts as
one, so that a difference is paired where items are shared. In a stratum of few items the variance of values is drawn
towards that of all strata, with two more items' weight. That one has two opposing pseudo-items, as in ``intervals.py``.

Shapes: R = rows, one for each item and model; M = models, S = strata, I = items.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.pseudo import pseudo_weight
from cotfaith.cluster.stats.metrics.lib.strata import Floats, Ints, strata

Bools = npt.NDArray[np.bool_]
FEWEST = 2
TAIL = 0.025
"""The one-sided level of a 95% interval."""
_PRIOR = 2.0
"""The weight, in items, of the variance of all strata in that of one."""


@dataclass(frozen=True)
class Observed:
    """One metric's sums, each of shape R; rows without a denominator are left out before."""

    model: Ints
    """From 0 to M - 1."""
    item: Ints
    """From 0 to I - 1."""
    skill: Floats
    num: Floats
    """Sums of the row's values; ``den``: their number."""
    den: Floats
    n_models: int

    def of(self, kept_R: Bools) -> "Observed":
        """Return some of the rows."""
        about = self.model[kept_R], self.item[kept_R], self.skill[kept_R]
        return Observed(*about, self.num[kept_R], self.den[kept_R], self.n_models)


@dataclass(frozen=True)
class Standardised:
    """The values, and what their intervals are made of."""

    value: Floats
    """Of each model (M); nan if no stratum is left."""
    support: float
    """Share of the rows that are in the strata that are left."""
    n: Ints
    """Rows of each model that are left (M)."""
    covariance: Floats
    """Of the values (M, M), before what strata of few items add."""
    squares: Floats
    """Sums of the squared residuals (M, S), in units of a typical item."""
    n_by_stratum: Floats
    """Rows (M, S)."""
    weight: Floats
    """Of each stratum that is left (S)."""
    kept: Bools
    """Which strata, of all that occur, are left."""

    def ends(self, model: int, bounds: Bounds, tail: float = TAIL) -> Bounds:
        """Return the interval of one model's value; ``bounds``: those of one item's value, here and below."""
        return self.combined(np.eye(len(self.value))[model], bounds, tail)

    def difference(self, bounds: Bounds, tail: float = TAIL) -> Bounds:
        """Return the interval of the first of two models' value minus the second's."""
        return self.combined(np.array([1.0, -1.0]), bounds, tail)

    def combined(self, factor_M: Floats, bounds: Bounds, tail: float = TAIL) -> Bounds:
        """Return the interval of the sum of each model's value times its factor; only where a stratum is left."""
        assert len(self.weight), "a stratum is left"
        value = float(factor_M @ self.value)
        variance = float(factor_M @ self.covariance @ factor_M + factor_M**2 @ self._added(bounds, tail))
        freedom = float((self.n_by_stratum - 1)[factor_M != 0].sum())
        reach = -float(special.stdtrit(freedom, tail)) * np.sqrt(max(variance, 0.0))
        extreme_2M = np.sort(np.outer(bounds, factor_M), axis=0)
        low, high = np.clip([value - reach, value + reach], *extreme_2M.sum(axis=1))
        return float(low), float(high)

    def _added(self, bounds: Bounds, tail: float) -> Floats:
        """Return what is added to each value's variance (M) because strata have few items."""
        a, value_M = pseudo_weight(tail), self.value
        opposing_M = (bounds[1] - value_M) ** 2 + (value_M - bounds[0]) ** 2
        freedom_MS = self.n_by_stratum - 1
        of_all_M = (self.squares.sum(1) + a * opposing_M) / (freedom_MS.sum(1) + 2 * a)
        drawn_MS = (self.squares + _PRIOR * of_all_M[:, None]) / (freedom_MS + _PRIOR)
        added: Floats = ((drawn_MS - self.squares / self.n_by_stratum) / self.n_by_stratum) @ self.weight**2
        return added


def standardised(rows: Observed, stratum_R: Ints | None = None) -> Standardised:
    """Return the values over the rows' pooled distribution of skill; ``stratum_R``: by default ``strata`` of it."""
    found_R = strata(rows.skill) if stratum_R is None else stratum_R
    _, place_R = np.unique(found_R, return_inverse=True)
    n_MS = _sums(rows.model, place_R, np.ones(len(place_R)), rows.n_models)
    kept_S = n_MS.min(axis=0) >= FEWEST
    kept_R = kept_S[place_R]
    if not kept_R.any():
        return _nothing(rows, kept_S)
    own, (_, place_R) = rows.of(kept_R), np.unique(place_R[kept_R], return_inverse=True)
    return _made(own, place_R, float(kept_R.mean()), kept_S)


def _sums(model_R: Ints, stratum_R: Ints, values_R: Floats, n_models: int) -> Floats:
    """Return the sums of each model and stratum (M, S)."""
    n = int(stratum_R.max()) + 1 if len(stratum_R) else 0
    found: Floats = np.bincount(model_R * n + stratum_R, values_R, n_models * n).astype(np.float64)
    return found.reshape(n_models, n)


def _nothing(rows: Observed, kept_S: Bools) -> Standardised:
    m = rows.n_models
    nothing = np.zeros((m, 0))
    return Standardised(
        np.full(m, np.nan), 0.0, np.zeros(m, np.int64), np.zeros((0, 0)), nothing, nothing, np.zeros(0), kept_S
    )


def _made(rows: Observed, stratum_R: Ints, support: float, kept_S: Bools) -> Standardised:
    place_R = rows.model, stratum_R
    n_MS, num_MS, den_MS = (
        _sums(*place_R, values_R, rows.n_models) for values_R in (np.ones(len(stratum_R)), rows.num, rows.den)
    )
    weight_S, mean_MS = n_MS.sum(axis=0) / n_MS.sum(), num_MS / den_MS
    value_M = mean_MS @ weight_S
    residual_R = (rows.num - mean_MS[place_R] * rows.den) * (n_MS / den_MS)[place_R]
    own_R = weight_S[stratum_R] * residual_R / n_MS[place_R]
    n_items = int(rows.item.max()) + 1
    part_IM = np.empty((n_items, rows.n_models))
    for m in range(rows.n_models):
        of_weights_R = (mean_MS[m] - value_M[m])[stratum_R] / len(stratum_R)
        part_IM[:, m] = np.bincount(rows.item, np.where(rows.model == m, own_R, 0.0) + of_weights_R, n_items)
    squares_MS = _sums(*place_R, residual_R**2, rows.n_models)
    n_M = n_MS.sum(axis=1).astype(np.int64)
    return Standardised(value_M, support, n_M, part_IM.T @ part_IM, squares_MS, n_MS, weight_S, kept_S)
