"""Whether chains matter more on harder items: the slope of a figure over the rank of the difficulty.

    difficulty_trend   the method is the figure: "mistakes_aoc", "aoc", "raw_reliance", and each "/needed": of the items
                       that need the chain, so that harder items are not only those that need it more often

The value is the change per level of difficulty, from each to the next harder one (``lib/trend.py``); ``interval`` says
whether it is rising, falling or neither. One level has no slope: the value is null.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE, SHARE
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, ProbeMetrics
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.sayings import interval, side
from cotfaith.cluster.stats.metrics.lib.summed import Group, Line, Row, counts, groups
from cotfaith.cluster.stats.metrics.lib.trend import trend
from cotfaith.cluster.stats.metrics.lib.words import EACH, Column, Headlines, Part, ReportSection, Words
from cotfaith.cluster.stats.metrics.need import ONE_STEP

TREND = Metric("difficulty_trend", ANY, DIFFERENCE, "points")
FIGURES = {
    "mistakes_aoc": (Metric("mistakes_aoc", "trapezoid"), "trapezoid_by_difficulty", "needed_by_difficulty"),
    "aoc": (Metric("aoc", "trapezoid"), "trapezoid_by_difficulty", "needed_by_difficulty"),
    "raw_reliance": (Metric("raw_reliance"), "by_difficulty", "needed_by_difficulty"),
}
"""Figure -> the metric that tells whether it was measured; the methods by difficulty, of all and of needed items."""


def trends(lines: pl.DataFrame) -> Iterator[Row]:
    """Yield the trend of each figure of each group that was measured."""
    for group in groups(lines):
        for name, (metric, every, needed) in FIGURES.items():
            if group.has(metric):
                own, of_needed = group.curve(metric.under(every)), group.curve(metric.under(needed))
                yield group.estimate(TREND, name, **(_figures(own) or group.lacking(metric, "no_difficulty")))
                why = _none_needed(group) if own else "no_difficulty"
                yield group.estimate(TREND, f"{name}/needed", **(_figures(of_needed) or group.lacking(metric, why)))


def _none_needed(group: Group) -> str:
    """Return why no item is known to need the chain."""
    return "none_needed" if group.has(ONE_STEP) else "no_answers_without_a_chain"


def _figures(levels: list[Line]) -> Row:
    """Return the slope over the levels, as figures; empty without levels."""
    if len(levels) < 2:
        return counts(levels) | {"value": None, "interval": "one_difficulty"} if levels else {}
    if sum(line["n"] for line in levels) < 3:
        return counts(levels) | {"value": None, "interval": "too_few_items"}
    found = trend(levels, SHARE)
    return counts(levels) | {
        "value": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "interval": f"clustered, {len(levels)} levels: {found.direction}",
        "n_eff": found.n_eff,
        "detectable": found.detectable,
    }


def trend_sentence(rows: Headlines) -> str:
    """Return whether following the text rises or falls with difficulty; "" if that is not known."""
    found = (rows.get(f"{TREND.name}/mistakes_aoc{among}") for among in ("/needed", ""))
    return next((_said(row) for row in found if row is not None and row.value is not None), "")


def _said(found: Estimate) -> str:
    among = "Among items that need the chain, the" if (found.method or "").endswith("/needed") else "The"
    points = f"{100 * found.value:+.1f} points{interval(found, 100)}" if found.value is not None else ""
    how = {1: "rises", -1: "falls", 0: "neither surely rises nor falls"}[side(found) or 0]
    return f"{among} effect of mistakes {how} with difficulty: {points} per level."


SECTION = ReportSection(
    "Difficulty",
    rank=82,
    part="skill",
    note="Change per level of difficulty, from each level to the next harder one, in points: of all items, and of "
    "those that need the chain. Above 0: the chain matters more on harder items.",
)
WORDS = Words(
    rank=24,
    sentence=trend_sentence,
    parts=(Part(SECTION, columns=(Column("Change per level", TREND.name, EACH, "points"),)),),
    remarks=nothing,
)
METRICS = ProbeMetrics(
    probe=None,
    theme="difficulty",
    metrics=(TREND,),
    scores=lambda rows: (),
    derived=trends,
    words=WORDS,
)
