"""The difference of two models in one figure, item by item, with its interval and its p-value.

In: two frames of sums by item (``item_sums.py``). Out: a ``Difference``. The value of an item is the mean of its
scores; only items that have one on both sides count, each once. A difference is b minus a: after minus before. The
interval is the closed form of ``stats/intervals.py`` over the items' differences, whose bounds are those of the metric
against each other; the p-value inverts it. Figures on few of the items, such as those among answers that a hint moved,
are over the items that have them under both models.

Shapes: I = items on both sides.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from cotfaith.cluster.stats.intervals import TAIL, Interval, Sums, interval
from cotfaith.cluster.stats.inverted import two_sided_p
from cotfaith.cluster.stats.metrics.lib.bounds import Bounds


@dataclass(frozen=True)
class Difference:
    """What changed in one figure. All None but the counts if no item has it on both sides."""

    n_items: int
    """Items that have the figure on both sides."""
    a: float | None
    """Its mean over these items; ``b`` likewise."""
    b: float | None
    value: float | None
    """b minus a."""
    low: float | None
    high: float | None
    interval: str
    """How the interval was made, or why there is none."""
    p_value: float | None
    """Two-sided, of no difference; not corrected. None: there is no interval."""


def by_item(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, ``a`` and ``b``: each item's value on both sides, for the items that have both; by item_id."""
    sides = (
        frame.filter(pl.col("den") > 0).select("item_id", (pl.col("num") / pl.col("den")).alias(name))
        for frame, name in ((a, "a"), (b, "b"))
    )
    left, right = sides
    return left.join(right, on="item_id", how="inner").sort("item_id")


def difference(values: pl.DataFrame, bounds: Bounds | None, of: Collection[str] | None = None) -> Difference:
    """Return the difference; ``of``: only these items. ``bounds``: those of the metric, of one item."""
    own = values if of is None else values.filter(pl.col("item_id").is_in(list(of)))
    if own.is_empty():
        return Difference(0, None, None, None, None, None, "no_items", None)
    a_I, b_I = own["a"].to_numpy(), own["b"].to_numpy()
    sums = Sums.of(b_I - a_I, np.ones(len(own)))
    across = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])

    def ends(tail: float) -> Interval:
        return interval(sums, across, tail=tail)

    found = ends(TAIL)
    return Difference(
        len(own),
        float(a_I.mean()),
        float(b_I.mean()),
        float((b_I - a_I).mean()),
        found.low,
        found.high,
        found.kind,
        two_sided_p(ends),
    )
