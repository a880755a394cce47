"""Figures that a warning voids: they are withheld on the page, never shown beside the warning.

In: plain estimates, chance accuracy, and the probes' words, which name what a model that guesses says nothing about.
Out: the estimates, those that mean nothing without their values. ``estimates.parquet`` keeps them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.metric import title
from cotfaith.cluster.stats.metrics.lib.words import Words

AT_CHANCE = "at chance"
_EMPTY: dict[str, Any] = dict.fromkeys(
    [
        *("value", "ci_low", "ci_high", "band_low", "band_high", "least", "most"),
        *("clear_value", "clear_low", "clear_high", "clear_n_ok"),
    ]
)


def voided(rows: Sequence[Estimate], chance: Mapping[str, float], words: Sequence[Words]) -> list[Estimate]:
    """Return the estimates; those that guessing voids are withheld where accuracy is not above chance."""
    names = {name for one in words for name in one.void_at_chance}
    guessed = {
        (row.task, row.series)
        for row in rows
        if (row.metric, row.method, row.position) == ("accuracy_cot", None, None)
        and is_at_chance(row, chance.get(row.task))
    }
    return [
        _withheld(row, chance[row.task])
        if (row.task, row.series) in guessed and {row.metric, title(row.metric, row.method)} & names
        else row
        for row in rows
    ]


def is_at_chance(accuracy: Estimate | None, chance: float | None) -> bool:
    """Return whether the accuracy with a chain is not above chance; False if either is not known."""
    return chance is not None and accuracy is not None and accuracy.ci_low is not None and accuracy.ci_low <= chance


def _withheld(row: Estimate, chance: float) -> Estimate:
    return row if row.withheld else replace(row, **_EMPTY, withheld=f"{AT_CHANCE} ({chance:.0%})")
