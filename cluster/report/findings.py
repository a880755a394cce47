"""A run's findings on one model (and strategy) and task: sentences, and warnings about what weakens them.

In: estimates, chance accuracy, and the probes' words. Out: ``Finding`` objects. They are not verdicts: the probes
measure whether the chain's text is used, not whether it is honest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from cotfaith.cluster.report.imported import ImportedChains, imported_chains
from cotfaith.cluster.report.shortfalls import Shortfall, shortfalls
from cotfaith.cluster.report.voided import AT_CHANCE, is_at_chance
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.readings import DIFFER
from cotfaith.cluster.stats.metrics.lib.sayings import value
from cotfaith.cluster.stats.metrics.lib.statuses import SHARE
from cotfaith.cluster.stats.metrics.lib.words import AGAIN, Headlines, Words
from cotfaith.workers.plugins import faults_named

FEW_ITEMS = 30
MANY_FAILURES = 0.05
MANY_NEAR_TIES = 0.02
_OF_READERS = (DIFFER.name, SHARE.name)
"""Figures of a model that only reads others' chains."""


@dataclass(frozen=True)
class Finding:
    """The sentences and warnings on one model and task."""

    model: str
    task: str
    sentences: list[str]
    warnings: list[str]
    shortfalls: list[Shortfall] = field(default_factory=list)
    """Its estimates with too many failed rows, with their worst and best case."""


def chance_levels(items: pl.DataFrame) -> dict[str, float]:
    """Return chance accuracy by task: one over the number of possible answers."""
    n_choices = pl.when(pl.col("answer_format") == "boolean").then(2).otherwise(pl.col("choices").list.len())
    closed = items.filter((pl.col("answer_format") != "text") & (n_choices > 0))
    levels = closed.group_by("task").agg((1 / n_choices).mean().alias("chance")).sort("task")
    return dict(levels.iter_rows())


def findings(estimates: Sequence[Estimate], chance: dict[str, float], words: Sequence[Words]) -> list[Finding]:
    """Return one finding for each model and task, tasks first; sentences in the order of ``words``.

    The words see no figure that is withheld. Imported chains come first. A model that only reads others' chains has no
    finding, unless too many of its rows failed.
    """
    names = sorted({(row.task, row.series) for row in estimates})
    short: dict[tuple[str, str], list[Shortfall]] = {name: [] for name in names}
    for found in shortfalls(estimates):
        short[found.task, found.series].append(found)
    chains = {(one.task, one.series): one for one in imported_chains(estimates)}
    own = {(row.task, row.series) for row in estimates if row.metric not in _OF_READERS}
    made = [
        _finding(_headlines(estimates, s, t), words, chance.get(t), s, t, short[t, s], chains.get((t, s)))
        for t, s in names
    ]
    return [one for one in made if one.sentences or one.shortfalls or (one.task, one.model) in own]


def _headlines(estimates: Sequence[Estimate], series: str, task: str) -> dict[str, Estimate]:
    """Index the estimates that are not part of a curve by "metric" or "metric/method"."""
    rows = [r for r in estimates if (r.series, r.task, r.position) == (series, task, None)]
    return {r.metric if r.method is None else f"{r.metric}/{r.method}": r for r in rows}


def _finding(
    rows: Headlines,
    words: Sequence[Words],
    chance: float | None,
    series: str,
    task: str,
    short: list[Shortfall],
    imported: ImportedChains | None,
) -> Finding:
    shown = {name: row for name, row in rows.items() if row.withheld is None}
    sentences = [said for one in words if (said := _said(one.sentence, shown))]
    weak = [_said(one.warning, shown) for one in words]
    general = [_forced(rows), _readings(rows), _near_ties(rows), _at_chance(rows, chance)]
    warnings = [warning for warning in (_size(rows), _failures(rows), *weak, *general) if warning]
    if imported is not None:
        sentences = [imported.sentence, *sentences]
        warnings = [text for text in (imported.missing, imported.reader) if text] + warnings
    return Finding(series, task, sentences, warnings, short)


def _said(say: Callable[[Headlines], str] | None, rows: Headlines) -> str:
    if say is None:
        return ""
    with faults_named("A sentence for the report", say, AGAIN):
        return say(rows)


def _size(rows: Headlines) -> str:
    n = max((row.n_items for row in rows.values()), default=0)
    return f"Only {n} item{'s' * (n != 1)}: too few for any conclusion." if n < FEW_ITEMS else ""


def _failures(rows: Headlines) -> str:
    row = rows.get("accuracy_cot")
    lost = row.n_total - row.n_ok if row else 0
    if row is None or lost <= MANY_FAILURES * row.n_total:
        return ""
    return f"{lost} of {row.n_total} chains failed and are not averaged; the rest may not be typical."


def _forced(rows: Headlines) -> str:
    share = value(rows, "forced_share")
    if share is None:
        return ""
    return (
        f"{share:.0%} of the chains were cut at the token limit before the model was asked for an answer, so they may "
        "be incomplete."
    )


def _near_ties(rows: Headlines) -> str:
    """Return a warning if the engine's precision or noise may have decided more than a few answers; else ""."""
    share, tied = (value(rows, name) or 0.0 for name in ("near_tie_share", "tied_share"))
    if share <= MANY_NEAR_TIES:
        return ""
    exact = f", {tied:.1%} exact ties broken by a draw" if tied else ""
    return (
        f"{share:.1%} of the scored answers are near ties{exact}: the engine's precision or noise leaves open which of "
        "two answers is more likely. The table also shows the values without them. Set dtype: float32."
    )


def _readings(rows: Headlines) -> str:
    row = rows.get("answer_readings_differ")
    if row is None or not row.value:
        return ""
    count = round(row.value * row.n_ok)
    return (
        f"The strict and the loose rule read {count} of {row.n_ok} generated answers ({row.value:.1%}) differently. "
        "These count as unparsed, unless the text itself retracts its first answer."
    )


def _at_chance(rows: Headlines, chance: float | None) -> str:
    if not is_at_chance(rows.get("accuracy_cot"), chance):
        return ""
    names = dict.fromkeys(row.metric for row in rows.values() if (row.withheld or "").startswith(AT_CHANCE))
    withheld = f" Withheld: {', '.join(names)}: what a guess depends on says nothing of reasoning." if names else ""
    return f"Accuracy with a chain is not above chance ({chance:.0%}).{withheld}"
