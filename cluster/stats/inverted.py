"""P-values from intervals: the smallest level at which an interval leaves a value out.

In: how an interval's ends depend on its one-sided level. Out: p-values of the tests that these intervals make, so that
an interval and its test never disagree. Knows nothing about how intervals are made.
"""

from collections.abc import Callable
from math import exp, log

from cotfaith.cluster.stats.intervals import Interval

SMALLEST = 1e-12
"""The smallest one-sided level that is tried; below it a p-value only says that it is smaller."""
LARGEST = 0.5
_STEPS = 50


def smallest_level(leaves_out: Callable[[float], bool]) -> float:
    """Return the smallest one-sided level at which something is left out; 1 if it is not even at ``LARGEST``.

    ``leaves_out``: whether it is at a level. A larger level leaves out whatever a smaller one does.
    """
    if not leaves_out(LARGEST):
        return 1.0
    if leaves_out(SMALLEST):
        return SMALLEST
    low, high = log(SMALLEST), log(LARGEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if leaves_out(exp(middle)) else (middle, high)
    return exp(high)


def two_sided_p(ends: Callable[[float], Interval], at: float = 0.0) -> float | None:
    """Return the p-value of "the value is ``at``", two-sided; None if there is no interval.

    ``ends``: the interval whose ends each miss the value with the given probability.
    """
    if (widest := ends(LARGEST)).low is None or widest.high is None:
        return None
    return min(1.0, 2 * smallest_level(lambda tail: not _holds(ends(tail), at)))


def _holds(found: Interval, at: float) -> bool:
    assert found.low is not None, "there is an interval at every level, or at none"
    assert found.high is not None, "there is an interval at every level, or at none"
    return found.low <= at <= found.high
