"""The smallest and the largest value that one item can have in a metric.

In: a metric's name. Out: both, or None where there are none. They bound intervals where all items agree, and the worst
and best case where rows failed.
"""

Bounds = tuple[float, float]
SHARE: Bounds = (0.0, 1.0)
DIFFERENCE: Bounds = (-1.0, 1.0)
BOUNDS: dict[str, Bounds | None] = {
    "cot_gain": DIFFERENCE,
    "filler_gain": DIFFERENCE,
    "mistakes_drop": DIFFERENCE,
    "paraphrase_drop": DIFFERENCE,
    "resampling_importance_accuracy": DIFFERENCE,
    "transfer_gap": DIFFERENCE,
    "transfer_gain": DIFFERENCE,
    "mean_steps": None,
    "resampling_importance_kl": None,
    "order_normalised": None,
}
"""(0, 1) for any metric that is not named."""


def bounds_of(metric: str) -> Bounds | None:
    """Return the metric's bounds."""
    return BOUNDS.get(metric, SHARE)
