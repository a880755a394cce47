"""The items on which two models are equally able without a chain: a difference over them is not one of skill.

In: both models' sums by item. Out: ``Matched``. Skill is p0, the item's probability of the gold answer without a chain;
where answers are sampled and have no probability, whether that answer is right. An item is matched if both models'
values differ by no more than ``NEAR``, as in the comparisons of one run's models. What is left of a difference in skill
is stated. At matched skill two models can still differ in how well they use a chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics.lib.strata import NEAR
from cotfaith.cluster.stats.metrics.no_cot import ACCURACY, P_GOLD
from cotfaith.cluster.stats.metrics.no_cot import PROBE as NO_COT
from cotfaith.cluster.verdicts.comparing.differences import by_item
from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums, Key
from cotfaith.schemas.variants import PLAIN

SKILL = (P_GOLD, ACCURACY)
Place = tuple[str, str]
"""Strategy and channel."""


@dataclass(frozen=True)
class Matched:
    """The matched items of a strategy and channel."""

    items: frozenset[str]
    n_both: int
    """Items whose skill is known of both."""
    by: str
    """The metric that is the skill."""
    a: float | None
    """Its mean over the matched items under the first model; None: no item is matched."""
    b: float | None
    """The same under the second."""


def matched(a: ItemSums, b: ItemSums) -> Mapping[Place, Matched]:
    """Return the matched items of each strategy and channel; nothing where skill is not known of both models."""
    places = dict.fromkeys((key[0], key[2]) for key in a.sums)
    found = {place: _of(a, b, place) for place in places}
    return {place: one for place, one in found.items() if one is not None}


def _of(a: ItemSums, b: ItemSums, place: Place) -> Matched | None:
    for metric in SKILL:
        key: Key = (place[0], PLAIN, place[1], NO_COT, metric.name, metric.method)
        if key in a.sums and key in b.sums:
            both = by_item(a.sums[key], b.sums[key])
            if len(both):
                alike = both.filter(alike_items(both))
                means = [float(alike[side].to_numpy().mean()) if len(alike) else None for side in ("a", "b")]
                return Matched(frozenset(alike["item_id"]), len(both), metric.title, *means)
    return None


def alike_items(both: pl.DataFrame) -> pl.Series:
    """Return whether both values of an item are one skill."""
    return (both["a"] - both["b"]).abs() <= NEAR
