"""Sums of scores by item, noted on the way to the sums over items, for what is kept of each item.

In: effects, one metric and method at a time. Out: columns ``<title>_num`` and ``<title>_den`` of each item: the sum of
the item's values in the metric, and of what they add to the denominator; both 0 for an item without a value. Knows
nothing about single metrics.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.effects import Effects
from cotfaith.cluster.stats.metrics.lib.frame import ITEM
from cotfaith.cluster.stats.metrics.lib.metric import Metric, title

PARTS = {"num": "numerator", "den": "denominator"}
"""The end of a column's name -> the sum that it holds."""


def columns(metric: Metric) -> list[str]:
    """Return the names of the metric's two columns."""
    return [f"{metric.title}_{part}" for part in PARTS]


class ByItem:
    """The sums by item of some metrics. Curves have none: only effects without a position are noted."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        """Note the sums of ``metrics``."""
        self._wanted = {metric.title: metric for metric in metrics}
        self._found = defaultdict[str, list[pl.DataFrame]](list)

    def passing(self, found: Iterable[Effects]) -> Iterator[Effects]:
        """Yield the effects as they come."""
        for one in found:
            if len(one.group) and (metric := self._wanted.get(_title(one))) is not None:
                self._found[metric.title].append(_sums(one, metric))
            yield one

    def joined(self, items: pl.DataFrame, metrics: Sequence[Metric]) -> pl.DataFrame:
        """Return the items (columns of ``ITEM``, each once) with the columns of ``metrics``."""
        for metric in metrics:
            if parts := self._found.get(metric.title):
                items = items.join(pl.concat(parts), on=ITEM, how="left", maintain_order="left")
            else:
                items = items.with_columns(pl.lit(None, pl.Float64).alias(name) for name in columns(metric))
        return items.with_columns(pl.col(name).fill_null(0.0) for metric in metrics for name in columns(metric))


def _title(found: Effects) -> str:
    _, name, method = found.name
    assert name is not None, "effects that are there have a name"
    return title(name, method)


def _sums(found: Effects, metric: Metric) -> pl.DataFrame:
    """Return ITEM and the metric's columns."""
    places = np.flatnonzero(found.position < found.positions.null_count())
    own = found.groups.select(ITEM[:-1])[found.group[places]]
    sums = [found.sums[name][places] for name in PARTS.values()]
    named = {name: pl.Series(values) for name, values in zip(columns(metric), sums, strict=True)}
    return own.with_columns(found.items[found.item[places]].cast(pl.String).alias("item_id"), **named)
