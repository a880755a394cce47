"""The level at which a curve's pointwise intervals hold at all positions at once: sup-t bands.

Montiel Olea and Plagborg-Moller 2019, "Simultaneous confidence bands". In: a curve's sums over items. Out: a one-sided
level, smaller than the one asked for: the pointwise intervals at that level are the band. The positions' linearised
errors are taken as jointly t-distributed with the correlations of the items' residuals. The draws behind the quantile
are the same each time, and correlations are rounded, so that the order in which items are added changes nothing.

Shapes: P = positions of a curve.
"""

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.intervals import TAIL, Floats
from cotfaith.cluster.stats.tally import Crosses

_DRAWS = 20_000
_DIGITS = 9
"""Decimal places of the correlations."""
_LEAST = 1e-12
"""A relative variance that is no more than rounding."""


def simultaneous_tail(num_P: Floats, den_P: Floats, found: Crosses, tail: float = TAIL) -> float:
    """Return the one-sided level of the band that holds at all P positions with a probability of 1 - 2 ``tail``.

    ``num_P`` and ``den_P``: the sums of numerators and denominators.
    """
    root_PP = _root(_correlation(num_P, den_P, found))
    n_eff_P = np.divide(den_P**2, np.diag(found.den2), out=np.zeros_like(den_P), where=den_P > 0)
    freedom = float(np.max(n_eff_P)) + 1  # with the pseudo-items, as pointwise
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((_DRAWS, len(root_PP))) @ root_PP
    spread = np.sqrt(rng.chisquare(freedom, _DRAWS) / freedom)
    critical = float(np.quantile(np.abs(normal).max(axis=1) / spread, 1 - 2 * tail))
    return min(tail, float(stats.t.sf(critical, freedom)))


def _correlation(num_P: Floats, den_P: Floats, found: Crosses) -> Floats:
    """Return the correlations of the residuals (P, P); a position without differences has none."""
    ratio_P = np.divide(num_P, den_P, out=np.zeros_like(num_P), where=den_P > 0)
    across_PP = found.cross * ratio_P
    product_PP = found.num2 - across_PP - across_PP.T + np.outer(ratio_P, ratio_P) * found.den2
    square_P = np.diag(product_PP)
    differs_P = square_P > _LEAST * np.diag(found.num2)
    size_P = np.sqrt(np.where(differs_P, square_P, 1.0))
    known_PP = np.outer(differs_P, differs_P)
    correlation: Floats = np.where(known_PP, product_PP / np.outer(size_P, size_P), 0.0)
    correlation = correlation.round(_DIGITS)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _root(matrix_PP: Floats) -> Floats:
    """Return the symmetric root of ``matrix_PP``; rounding may have made that indefinite."""
    values_P, vectors_PP = np.linalg.eigh(matrix_PP)
    root: Floats = (vectors_PP * np.sqrt(np.maximum(values_P, 0.0))) @ vectors_PP.T
    return root
