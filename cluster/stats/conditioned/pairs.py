"""Two models of a task, strategy and channel, compared: as they are, over one distribution of skill, and matched.

In: what is kept of items (``metrics/conditioned.py``), of one run. Out: rows of the COMPARISONS schema:

    raw_difference            the difference of their means; of no use where their skill differs
    standardised_difference   the same over the pooled distribution of skill (``metrics/lib/standardised.py``)
    matched                   over the items on which both models' skill is the same within ``NEAR``: the mean of the
                              items' differences. ``support`` is the share of such items among those that both have

Shapes: R = rows, one for each item and model; I = items that both have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import polars as pl

from cotfaith.cluster.stats.intervals import TAIL, Floats, Interval, Sums, interval
from cotfaith.cluster.stats.inverted import two_sided_p
from cotfaith.cluster.stats.metrics.conditioned import RELIANCE
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE, Bounds
from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.cluster.stats.metrics.lib.measured import NO_SUPPORT, Measured, measured
from cotfaith.cluster.stats.metrics.lib.standardised import Observed, standardised
from cotfaith.cluster.stats.metrics.lib.strata import NEAR, Ints, strata

RAW, STANDARDISED, MATCHED = "raw_difference", "standardised_difference", "matched"
KINDS = (RAW, STANDARDISED, MATCHED)
NO_COMMON = "no_common_items"
NO_MATCHED = "no_matched_items"
Row = dict[str, Any]
Ends = Callable[[float], Interval]
MOST_MODELS = 8
"""Of more models in one place not all pairs are compared: there would be hundreds. `cotfaith compare` has any two."""
_PLACE = ("task", "strategy", "channel")


@dataclass(frozen=True)
class Compared:
    """The difference of two models in one metric, in one way."""

    how: str
    """How the interval is made, or why there is no value."""
    value: float | None = None
    ends: Ends | None = None
    """One-sided level -> the interval; None without a value."""
    n_items: int = 0
    support: float = 0.0
    """The share of what has a value that it rests on."""

    def row(self) -> Row:
        """Return the columns of the table."""
        found = {"interval": self.how, "value": self.value, "n_items": self.n_items, "support": self.support}
        if self.ends is None:
            return found
        own = self.ends(TAIL)
        return found | {"ci_low": own.low, "ci_high": own.high, "p_value": two_sided_p(self.ends)}


def pair_rows(items: pl.DataFrame) -> Iterator[Row]:
    """Yield the comparisons of two models (``pairs``) in each metric that one of them has."""
    for place, own in items.group_by(_PLACE, maintain_order=True):
        head = dict(zip(_PLACE, place, strict=True)) | {"n_models": 2}
        for a, b in pairs(own):
            both = own.filter(pl.col("model").is_in([a, b]))
            for metric in RELIANCE:
                if both[columns(metric)[1]].sum() > 0:
                    named = head | {"model_a": a, "model_b": b, "metric": metric.name, "method": metric.method}
                    found = compared(measured(both, (a, b), metric), metric.bounds or SHARE)
                    yield from (named | {"kind": kind} | one.row() for kind, one in found.items())


def pairs(items: pl.DataFrame) -> list[tuple[str, str]]:
    """Return each two models; of more than ``MOST_MODELS``, each with the next in skill, by its name in the pair."""
    skill = pl.coalesce("p0", "y0").mean().alias("skill")
    models = items.group_by("model").agg(skill).sort("skill", "model", nulls_last=True)["model"].to_list()
    if len(models) <= MOST_MODELS:
        return list(combinations(sorted(models), 2))
    return sorted((min(two), max(two)) for two in pairwise(models))


def compared(found: Measured | str, bounds: Bounds) -> dict[str, Compared]:
    """Return the difference of two models in each way; ``bounds``: those of one item's value."""
    if isinstance(found, str):
        return dict.fromkeys(KINDS, Compared(found))
    stratum_R = strata(found.rows.skill)
    return {
        RAW: _standardised(replace(found, how="paired"), np.zeros_like(stratum_R), bounds),
        STANDARDISED: _standardised(found, stratum_R, bounds),
        MATCHED: _matched(found, bounds),
    }


def _standardised(found: Measured, stratum_R: Ints, bounds: Bounds) -> Compared:
    made = standardised(found.rows, stratum_R)
    if not made.support:
        return Compared(NO_SUPPORT)
    left_R = np.isin(stratum_R, np.unique(stratum_R)[made.kept])
    return Compared(
        how=found.how,
        value=float(made.value[0] - made.value[1]),
        ends=lambda tail: Interval(*made.difference(bounds, tail), "linearised"),
        n_items=len(np.unique(found.rows.item[left_R])),
        support=made.support * found.known,
    )


def _matched(found: Measured, bounds: Bounds) -> Compared:
    value_2I, skill_2I = _side_by_side(found.rows)
    own_I = np.abs(skill_2I[0] - skill_2I[1]) <= NEAR
    n, n_both = int(own_I.sum()), len(own_I)
    if not n:
        return Compared(NO_MATCHED if n_both else NO_COMMON)
    difference_I = (value_2I[0] - value_2I[1])[own_I]
    sums, across = Sums.of(difference_I, np.ones(n)), (bounds[0] - bounds[1], bounds[1] - bounds[0])
    return Compared(
        how=interval(sums, across).kind,
        value=float(difference_I.mean()),
        ends=lambda tail: interval(sums, across, tail=tail),
        n_items=n,
        support=n / n_both * found.known,
    )


def _side_by_side(rows: Observed) -> tuple[Floats, Floats]:
    """Return value and skill (2, I) of the items that both models have."""
    own = [rows.of(rows.model == m) for m in (0, 1)]
    _, *places = np.intersect1d(own[0].item, own[1].item, return_indices=True)
    sides = list(zip(own, places, strict=True))
    values = np.stack([(one.num / one.den)[at] for one, at in sides])
    return values, np.stack([one.skill[at] for one, at in sides])
