"""Strata of items that are alike in skill: the probability of the gold answer without a chain, of several models.

In: numbers. Out: the stratum of each. Knows nothing about models and metrics. methods.md, "Performance-conditioned".

Shapes: R = rows, one for each item and model.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
STRATA = 20
"""With five, models of different skill differ within a stratum; ``benchmarks/confound.py`` prints how much."""
NEAR = 0.02
"""How far apart the skill of matched models may be. Within one of twenty strata, or within 0.05, the more skilled model
still has the higher one: at 5,000 items that shows in figures that rest on probabilities."""


def strata(values_R: Floats, n: int = STRATA) -> Ints:
    """Return the stratum of each value, from 0: which of ``n`` equal parts of the rows its middle rank is in.

    Equal values are in one stratum, so that there can be fewer strata than ``n``. A value of more than a part of the
    rows is alone in its stratum, or with its next neighbours.
    """
    middle_R = (stats.rankdata(values_R) - 0.5) / len(values_R)
    found: Ints = (n * middle_R).astype(np.int64)
    return found
