"""The weight of the two opposing pseudo-items that intervals add; ``stats/intervals.py`` says what for."""

from functools import cache
from math import log, sqrt

from scipy import stats


@cache
def pseudo_weight(tail: float) -> float:
    """Return the weight of each of the two pseudo-items, in items."""
    z = float(stats.norm.isf(tail))
    return ((sqrt(z * z - 4 * log(tail)) - z) / 2) ** 2
