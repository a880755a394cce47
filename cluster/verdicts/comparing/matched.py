"""The items on which two models are equally able without a chain: a difference over them is not one of skill.

In: both models' sums by item. Out: ``Matched``. Skill is p0, the item's probability of the gold answer without a chain;
where answers are sampled and have no probability, whether that answer is right. An item is matched if both models'
values are in the same stratum, one of twenty between quantiles of both models' values together, or differ by no more
than ``NEAR``: where most values are nearly alike, such as those of models that guess, quantiles part what is noise.
What is left of a difference in skill is stated. At matched skill two models can still differ in how well they use a
chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cotfaith.cluster.stats.metrics.no_cot import ACCURACY, P_GOLD
from cotfaith.cluster.stats.metrics.no_cot import PROBE as NO_COT
from cotfaith.cluster.verdicts.comparing.differences import by_item
from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums, Key
from cotfaith.schemas.variants import PLAIN

STRATA = 20
NEAR = 0.05
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
    a_I, b_I = both["a"].to_numpy(), both["b"].to_numpy()
    strata_2I = strata(np.concatenate([a_I, b_I]))
    return pl.Series((strata_2I[: len(a_I)] == strata_2I[len(a_I) :]) | (np.abs(a_I - b_I) <= NEAR))


def strata(values_N: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the stratum (N) of each value, from 0: which of ``STRATA`` equal parts its middle rank is in.

    A value that occurs in more than a part of the rows is alone in its stratum, or with its next neighbours.
    """
    middle_N = (stats.rankdata(values_N) - 0.5) / len(values_N)
    found: npt.NDArray[np.int64] = (STRATA * middle_N).astype(np.int64)
    return found
