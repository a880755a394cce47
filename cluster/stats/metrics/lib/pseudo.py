"""The weight of the two opposing pseudo-items that intervals add; ``stats/intervals.py`` says what for."""

from functools import cache
from math import log, sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats


@cache
def pseudo_weight(tail: float) -> float:
    """Return the weight of each of the two pseudo-items, in items."""
    z = float(stats.norm.isf(tail))
    return ((sqrt(z * z - 4 * log(tail)) - z) / 2) ** 2


def pseudo_weights(tail: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weight for each of several levels."""
    z = stats.norm.isf(tail)
    found: npt.NDArray[np.float64] = ((np.sqrt(z * z - 4 * np.log(tail)) - z) / 2) ** 2
    return found
