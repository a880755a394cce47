"""The level at which a curve's pointwise intervals hold at all positions at once: sup-t bands.

Montiel Olea and Plagborg-Moller 2019, "Simultaneous confidence bands". In: per-item numerators and denominators by
position. Out: a one-sided level, smaller than the one asked for: the pointwise intervals at that level are the band.
The positions' linearised errors are taken as jointly t-distributed with the correlations of the items' residuals. The
draws behind the quantile are the same each time.

Shapes: I = items, P = positions of a curve.
"""

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.intervals import TAIL, Floats, Sums

_DRAWS = 20_000


def simultaneous_tail(num_IP: Floats, den_IP: Floats, tail: float = TAIL) -> float:
    """Return the one-sided level of the band that holds at all P positions with a probability of 1 - 2 ``tail``."""
    sums = Sums.of(num_IP, den_IP)
    correlation_PP = _correlation(num_IP, den_IP, sums)
    freedom = float(np.max(sums.n_eff)) + 1  # with the pseudo-items, as pointwise
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((_DRAWS, len(correlation_PP))) @ _root(correlation_PP)
    spread = np.sqrt(rng.chisquare(freedom, _DRAWS) / freedom)
    critical = float(np.quantile(np.abs(normal).max(axis=1) / spread, 1 - 2 * tail))
    return min(tail, float(stats.t.sf(critical, freedom)))


def _correlation(num_IP: Floats, den_IP: Floats, sums: Sums) -> Floats:
    """Return the correlations of the residuals (P, P); a position without differences has none."""
    ratio_P = np.divide(sums.num, sums.den, out=np.zeros_like(sums.num), where=sums.den > 0)
    residual_IP = num_IP - ratio_P * den_IP
    size_P = np.sqrt((residual_IP**2).sum(axis=0))
    scaled_IP = residual_IP / np.where(size_P > 0, size_P, 1.0)
    found: Floats = scaled_IP.T @ scaled_IP
    np.fill_diagonal(found, 1.0)
    return found


def _root(matrix_PP: Floats) -> Floats:
    """Return a matrix whose product with its own transpose is ``matrix_PP``; rounding may have made that indefinite."""
    values_P, vectors_PP = np.linalg.eigh(matrix_PP)
    root: Floats = (vectors_PP * np.sqrt(np.maximum(values_P, 0.0))).T
    return root
