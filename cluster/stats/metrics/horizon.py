"""The no-CoT horizon: the difficulty at which a model stops being right without a chain (``lib/horizon.py``).

    no_cot_horizon          from the answers without a chain
    no_cot_horizon/filler   from the answers after each item's longest filler

Reasoning beyond the horizon has to show in the chain. The difficulty is in the task's own unit. If the horizon lies
outside the tested difficulties, the value is null, and ``interval`` says "beyond_range: above 8". An end of the
interval outside of them is null.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.horizon import horizon
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.sayings import interval
from cotfaith.cluster.stats.metrics.lib.summed import Group, Row, counts, groups, mean
from cotfaith.cluster.stats.metrics.lib.words import BEYOND, Column, Headlines, Part, Source, Words, reason
from cotfaith.cluster.stats.metrics.need import CHANCE_BY_DIFFICULTY, SECTION

HORIZON = Metric("no_cot_horizon", bounds=None, unit="difficulty", of_own_answer=False)
FILLER = HORIZON.under("filler")
WITHOUT = Metric("accuracy_no_cot"), Metric("accuracy_no_cot", "by_difficulty")
WITH_FILLER = Metric("filler_accuracy", "by_repeats"), Metric("filler_accuracy", "longest_by_difficulty")
"""The accuracies that a horizon rests on: whether it was measured at all, and by difficulty."""


def horizons(lines: pl.DataFrame) -> Iterator[Row]:
    """Yield the horizon of each group, and the one with filler."""
    for group in groups(lines):
        for metric, (measured, by_difficulty) in ((HORIZON, WITHOUT), (FILLER, WITH_FILLER)):
            if group.has(measured):
                yield group.estimate(metric, metric.method, **_figures(group, measured, by_difficulty))


def _figures(group: Group, measured: Metric, accuracy: Metric) -> Row:
    chance = {line["position"]: mean(line) for line in group.curve(CHANCE_BY_DIFFICULTY)}
    levels = [line for line in group.curve(accuracy) if line["position"] in chance]
    if not levels:
        return group.lacking(measured, "no_difficulty")
    x, right, n = ([float(line[name]) for line in levels] for name in ("position", "num", "den"))
    found = horizon(x, right, n, [chance[at] for at in x])
    return counts(levels) | {
        "value": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "interval": found.why,
        "n_eff": float(sum(line["den"] for line in levels)),
    }


def horizon_sentence(rows: Headlines) -> str:
    """Return the horizon without a chain, or on which side it lies; "" if nothing is known."""
    found = rows.get(HORIZON.title)
    if found is None:
        return ""
    if found.value is None:
        is_beyond, side = (found.interval or "").startswith(BEYOND), reason(found.interval)
        return f"Its horizon without a chain is outside the tested difficulties: {side}." if is_beyond else ""
    return f"Without a chain, its accuracy falls half-way to chance at difficulty {found.value:.1f}{interval(found)}."


WORDS = Words(
    rank=6,
    sentence=horizon_sentence,
    parts=(
        Part(
            SECTION,
            columns=(
                Column("Horizon without a chain", HORIZON.name, None),
                Column("Horizon with filler", HORIZON.name, "filler"),
            ),
        ),
    ),
    remarks=nothing,
    glossary={
        "Horizon": "The difficulty at which accuracy without a chain is half-way between its ceiling and chance. What "
        "is harder has to be worked out in the chain.",
    },
    sources=(
        Source(
            "Brown-Cohen et al. 2026",
            "Quantifying the Necessity of Chain of Thought through Opaque Serial Depth",
            "arXiv 2603.09786",
        ),
    ),
)
METRICS = ProbeMetrics(
    probe=None,
    theme="horizon",
    metrics=(HORIZON, FILLER),
    scores=lambda rows: (),
    derived=horizons,
    words=WORDS,
)
