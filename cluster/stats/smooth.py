"""Intervals of smooth functions of several sums over items, such as a ratio divided by one minus another ratio.

In: the distinct vectors of per-item sums, and how many items have each; a ``Function``. Out: its value and interval.
Knows nothing about metrics or tables.

The delta method takes the variance of the items' linearised residuals (numeric gradient). Where a denominator does not
exceed four of its standard errors the function is not linear enough, and a Bayesian bootstrap takes its place: items
have exponential weights (Rubin 1981). Draws in which the function is undefined could be anything: they count at both
ends, and ``undefined`` says how many they are. With few items its quantiles are as far out as those of the t
distribution that the delta method takes. Both ways add opposing pseudo-items, as ``intervals.py`` does and with
its weights: without them, items that are all alike leave no width. The draws are the same each time.

Shapes: K = sums, V = distinct vectors, D = draws.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.intervals import TAIL, Floats
from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.function import Function, Smooth
from cotfaith.cluster.stats.metrics.lib.pseudo import pseudo_weight

_DRAWS = 10_000
_MOST_NUMBERS = 4_000_000
"""Numbers drawn at once."""
_STEP = 1e-5
"""Relative step of the numeric gradient."""
SURE = 4.0
"""Standard errors that a denominator must exceed."""


def smooth(vectors_VK: Floats, counts_V: Floats, function: Function, tail: float = TAIL) -> Smooth:
    """Return the function's value at the sums over all items, with its interval at the one-sided level ``tail``."""
    if function.whole is not None:
        return function.whole(vectors_VK, counts_V, tail)
    sums_K = counts_V @ vectors_VK
    value = _cut(float(function.value(sums_K)), function.bounds)
    size_V = vectors_VK[:, function.size]
    n_eff = float((counts_V @ size_V) ** 2 / (counts_V @ size_V**2)) if (counts_V @ size_V**2) > 0 else 0.0
    if np.isnan(value) or counts_V.sum() < 2:
        return Smooth(None if np.isnan(value) else value, None, None, "too_few_items", n_eff)
    if function.lacking is not None and (why := function.lacking(sums_K)):
        return Smooth(None, None, None, "too_few_items", n_eff, why=why)
    added = function.pseudo(vectors_VK, counts_V)
    rows_VK = np.concatenate([vectors_VK, added])
    weights_V = np.concatenate([counts_V, np.full(len(added), pseudo_weight(tail))])
    if _is_linear(rows_VK, weights_V, function):
        low, high = _delta(rows_VK, weights_V, function, n_eff, tail)
        return Smooth(value, *_ends(low, high, value, function.bounds), "delta", n_eff)
    level = float(stats.norm.sf(_reach(n_eff, tail)))
    low, high, undefined = _bootstrap(rows_VK, weights_V, function, level)
    return Smooth(value, *_ends(low, high, value, function.bounds), "bootstrap", n_eff, undefined)


def _cut(value: float, bounds: Bounds) -> float:
    return float(np.clip(value, *bounds))


def _ends(low: float, high: float, value: float, bounds: Bounds) -> tuple[float, float]:
    """Return the ends within the bounds; they hold the value."""
    return _cut(min(low, value), bounds), _cut(max(high, value), bounds)


def _is_linear(rows_VK: Floats, weights_V: Floats, function: Function) -> bool:
    for denominator in function.denominators:
        value, error = float(denominator(weights_V @ rows_VK)), _error(rows_VK, weights_V, denominator)
        if not value > SURE * error:
            return False
    return True


def _error(rows_VK: Floats, weights_V: Floats, of: Callable[[Floats], Floats]) -> float:
    """Return the linearised standard error."""
    residuals_V = rows_VK @ _gradient(of, weights_V @ rows_VK)
    return sqrt(float(weights_V @ residuals_V**2))


def _gradient(of: Callable[[Floats], Floats], sums_K: Floats) -> Floats:
    step_K = _STEP * np.where(sums_K == 0, max(1.0, float(np.abs(sums_K).max())), np.abs(sums_K))
    moved_KK = np.diag(step_K)
    found: Floats = (of(sums_K + moved_KK) - of(sums_K - moved_KK)) / (2 * step_K)
    return found


def _delta(rows_VK: Floats, weights_V: Floats, function: Function, n_eff: float, tail: float) -> tuple[float, float]:
    centre, error = float(function.value(weights_V @ rows_VK)), _error(rows_VK, weights_V, function.value)
    reach = _reach(n_eff, tail) * error
    return centre - reach, centre + reach


def _reach(n_eff: float, tail: float) -> float:
    """Return how many standard errors the interval reaches to either side."""
    return float(stats.t.isf(tail, n_eff + 1)) * sqrt((n_eff + 2) / (n_eff + 1))


def _bootstrap(rows_VK: Floats, weights_V: Floats, function: Function, tail: float) -> tuple[float, float, float]:
    rng, at_once = np.random.default_rng(0), max(1, _MOST_NUMBERS // len(weights_V))
    sizes = [min(at_once, _DRAWS - begun) for begun in range(0, _DRAWS, at_once)]
    sums_DK = np.concatenate([rng.standard_gamma(weights_V, (n, len(weights_V))) @ rows_VK for n in sizes])
    drawn_D = function.value(sums_DK)
    lost_D = np.isnan(drawn_D)
    low, high = (
        float(np.quantile(np.where(lost_D, end, drawn_D), q))
        for end, q in zip(function.bounds, (tail, 1 - tail), strict=True)
    )
    return low, high, float(lost_D.mean())
