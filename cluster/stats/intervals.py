"""Intervals of ratios of per-item sums, clustered by item.

In: per-item numerators and denominators. Out: an ``Interval``. Chains of one item are not independent, so the bootstrap
resamples items. Differences are paired by construction: put the difference
into the numerator. Knows nothing about metrics or tables.

Shapes: I = items, P = positions of a curve, B = bootstrap draws.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

Floats = npt.NDArray[np.float64]
Bounds = tuple[float, float]
CHUNK_WEIGHTS = 2_000_000
"""Bootstrap weights held at once: 16 MB."""


@dataclass(frozen=True)
class Interval:
    """A two-sided interval; both ends are null if fewer than two items have a value."""

    low: float | None
    high: float | None
    kind: Literal["bootstrap", "clopper_pearson", "none"]


NO_INTERVAL = Interval(None, None, "none")


def cluster_bootstrap(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    seed: int,
    n_boot: int = 2000,
    level: float = 0.95,
    bounds: Bounds | None = (0.0, 1.0),
) -> Interval:
    """Return the percentile interval of sum(numerators) / sum(denominators), both per item: (I,).

    Items with denominator 0 have no value and are left out. If all items agree, the interval is a Clopper-Pearson
    bound. ``bounds``: the smallest and largest value that one item can take, or None if there are none.
    """
    num_I1 = np.asarray(numerators, dtype=np.float64).reshape(-1, 1)
    den_I1 = np.asarray(denominators, dtype=np.float64).reshape(-1, 1)
    return curve_bootstrap(num_I1, den_I1, seed, n_boot, level, bounds)[0]


def curve_bootstrap(
    num_IP: Floats,
    den_IP: Floats,
    seed: int,
    n_boot: int = 2000,
    level: float = 0.95,
    bounds: Bounds | None = (0.0, 1.0),
) -> list[Interval]:
    """Return one pointwise interval for each of P positions; all positions share the same resampled items."""
    counts = den_IP.any(axis=1)
    num_IP, den_IP = num_IP[counts], den_IP[counts]
    if len(num_IP) < 2:
        return [NO_INTERVAL] * num_IP.shape[1]
    ratios_BP = _resample(num_IP, den_IP, seed, n_boot)
    columns = range(num_IP.shape[1])
    return [_interval(num_IP[:, p], den_IP[:, p], ratios_BP[:, p], level, bounds) for p in columns]


def ratio_bootstrap(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, seed: int, n_boot: int = 2000, level: float = 0.95
) -> Interval:
    """Return the percentile interval of a ratio of two means, both measured per item: (I,).

    Unlike in ``cluster_bootstrap``, a denominator of 0 is a measurement: its item counts, and a draw in which all
    denominators are 0 is infinite. Items with 0 for both are left out. There is no interval if the ratio does not
    vary, or if one of its ends would be infinite.
    """
    num_I1 = np.asarray(numerators, dtype=np.float64).reshape(-1, 1)
    den_I1 = np.asarray(denominators, dtype=np.float64).reshape(-1, 1)
    counts = (num_I1 + den_I1 > 0)[:, 0]
    num_I1, den_I1 = num_I1[counts], den_I1[counts]
    if len(num_I1) < 2:
        return NO_INTERVAL
    ratios_B = np.sort(np.nan_to_num(_resample(num_I1, den_I1, seed, n_boot)[:, 0], nan=np.inf))
    tail = round(n_boot * (1 - level) / 2)
    low, high = float(ratios_B[tail]), float(ratios_B[n_boot - 1 - tail])
    return Interval(low, high, "bootstrap") if np.isfinite(high) and high - low > 1e-12 else NO_INTERVAL


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Bounds:
    """Return the exact two-sided interval of a proportion: ``successes`` in ``n`` independent trials."""
    tail = (1 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def _resample(num_IP: Floats, den_IP: Floats, seed: int, n_boot: int) -> Floats:
    """Draw items with replacement ``n_boot`` times; return the ratios (B, P), nan if the denominators sum to 0."""
    rng = np.random.default_rng(seed)
    n = len(num_IP)
    chunk = max(1, CHUNK_WEIGHTS // n)
    ratios = []
    for start in range(0, n_boot, chunk):
        weights_BI = rng.multinomial(n, np.full(n, 1 / n), size=min(chunk, n_boot - start)).astype(np.float64)
        den_BP = weights_BI @ den_IP
        ratios.append(np.divide(weights_BI @ num_IP, den_BP, out=np.full_like(den_BP, np.nan), where=den_BP > 0))
    return np.concatenate(ratios)


def _interval(num_I: Floats, den_I: Floats, ratios_B: Floats, level: float, bounds: Bounds | None) -> Interval:
    values = num_I[den_I > 0] / den_I[den_I > 0]
    if len(values) < 2:
        return NO_INTERVAL
    if np.ptp(values) < 1e-12:
        return _all_alike(float(values[0]), len(values), level, bounds)
    low, high = np.nanpercentile(ratios_B, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high), "bootstrap")


def _all_alike(value: float, n: int, level: float, bounds: Bounds | None) -> Interval:
    """Bound the mean if all ``n`` items have the same value, so that a bootstrap interval would have no width.

    None of n items differed, so by Clopper-Pearson at most a share u of all items differs, and those lie within the
    bounds. For a share of 0 or 1 this is the Clopper-Pearson interval itself.
    """
    if bounds is None:
        return NO_INTERVAL
    share = clopper_pearson(0, n, level)[1]
    low, high = value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    return Interval(low, high, "clopper_pearson")
