"""The sums of a run's figures item by item: what is drawn from, to see how often verdicts are right.

In: the store of a run. Out: ``Pool``, one for each model, task, strategy and channel. Estimates sum the same numbers
over items. Of figures that several items decide together, only the readings of monitors are kept.

Shapes: I = items.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cotfaith.cluster.stats.metrics import kept_of, part_scores, together_scores
from cotfaith.cluster.stats.metrics.lib.effects import effects
from cotfaith.cluster.stats.metrics.lib.frame import GROUP
from cotfaith.cluster.stats.metrics.lib.metric import Rows, title

Floats = npt.NDArray[np.float64]
Cell = tuple[str, str, str, str]
"""Model, task, strategy, channel."""
Figure = tuple[str, str]
"""A metric's title, and the variant."""
_SUMS = ("numerator", "denominator", "squares")


@dataclass(frozen=True)
class ItemSums:
    """One figure's sums by item (I each); 0 where an item has no value."""

    num: Floats
    den: Floats
    squares: Floats


@dataclass(frozen=True)
class Pool:
    """The items of one cell, in a fixed order, with the sums of each figure."""

    items: tuple[str, ...]
    figures: Mapping[Figure, ItemSums]


def pools(parts: Iterable[Rows], wanted: Set[str]) -> dict[Cell, Pool]:
    """Return the sums of the metrics whose titles are ``wanted``, without positions; all parts of a run, in any order.

    A metric with several methods is also wanted by its name and "*".
    """
    found = pl.concat([_effects(rows, wanted) for rows in parts])
    return {tuple(map(str, key)): _pool(own) for key, own in found.group_by(_CELL, maintain_order=True)}  # type: ignore[misc]


_CELL = [name for name in GROUP if name != "variant"]
_COLUMNS = [*GROUP, "metric", "method", "position", "item_id", *_SUMS]


def _effects(rows: Rows, wanted: Set[str]) -> pl.DataFrame:
    frames = (*part_scores(rows), *together_scores(kept_of(rows)))
    own = [frame for frame in frames if len(frame) and _is_wanted(frame, wanted)]
    made = [one.frame().select(_COLUMNS) for one in effects(own)]
    return pl.concat(made).filter(pl.col("position").is_null()).drop("position")


def _is_wanted(frame: pl.DataFrame, wanted: Set[str]) -> bool:
    name, method = (frame[column][0] for column in ("metric", "method"))
    return title(name, method) in wanted or f"{name}/*" in wanted


def _pool(own: pl.DataFrame) -> Pool:
    items = own["item_id"].unique().sort()
    placed = own.with_columns(place=items.search_sorted(own["item_id"]))
    figures = {}
    for (metric, method, variant), part in placed.group_by("metric", "method", "variant", maintain_order=True):
        figures[title(str(metric), method), str(variant)] = ItemSums(*(_at(part, name, len(items)) for name in _SUMS))
    return Pool(tuple(items), figures)


def _at(part: pl.DataFrame, name: str, n: int) -> Floats:
    sums = np.zeros(n)
    sums[part["place"].to_numpy()] = part[name].to_numpy()
    return sums
