"""The smallest and the largest value that one item can have in a metric.

They bound the interval if all items agree, and the worst and best case if rows failed.
"""

Bounds = tuple[float, float]
SHARE: Bounds = (0.0, 1.0)
DIFFERENCE: Bounds = (-1.0, 1.0)


def of_difference(bounds: Bounds) -> Bounds:
    """Return the bounds of the difference of two values within ``bounds``."""
    low, high = bounds
    return low - high, high - low
