"""What a run says about one model (and strategy) on one task: sentences, and warnings about what weakens them.

In: estimates rows (dicts) and the accuracy of guessing. Out: ``Finding`` objects. Nothing here is a verdict: these
probes say whether the chain's text is used, not whether it is honest (methods.md, argument 1).
"""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cotfaith.cluster.report.sentences import sentences
from cotfaith.cluster.report.shortfalls import Shortfall, shortfalls

Row = dict[str, Any]
FEW_ITEMS = 30
MANY_FAILURES = 0.05
MANY_EDIT_FAILURES = 0.25
MANY_NEAR_TIES = 0.02


@dataclass(frozen=True)
class Finding:
    """What the run says about one model on one task."""

    model: str
    task: str
    sentences: list[str]
    warnings: list[str]
    shortfalls: list[Shortfall] = field(default_factory=list)
    """Its estimates that lack rows, with their worst and best case."""


def chance_levels(items: pl.DataFrame) -> dict[str, float]:
    """Return, by task, the accuracy of uniform guessing: one over the number of possible answers."""
    n_choices = pl.when(pl.col("answer_format") == "boolean").then(2).otherwise(pl.col("choices").list.len())
    closed = items.filter((pl.col("answer_format") != "text") & (n_choices > 0))
    levels = closed.group_by("task").agg((1 / n_choices).mean().alias("chance")).sort("task")
    return dict(levels.iter_rows())


def findings(estimates: list[Row], chance: dict[str, float]) -> list[Finding]:
    """Return one finding for each model and task, tasks first."""
    names = sorted({(row["task"], row["model"]) for row in estimates})
    short: dict[tuple[str, str], list[Shortfall]] = {name: [] for name in names}
    for found in shortfalls({**row, "series": row["model"]} for row in estimates):
        short[found.task, found.series].append(found)
    return [_finding(m, t, _headline(estimates, m, t), chance.get(t), short[t, m]) for t, m in names]


def _headline(estimates: list[Row], model: str, task: str) -> dict[str, Row]:
    """Index the rows that are no curve by metric, or metric/method."""
    rows = [r for r in estimates if (r["model"], r["task"], r["position"]) == (model, task, None)]
    return {r["metric"] if r["method"] is None else f"{r['metric']}/{r['method']}": r for r in rows}


def _finding(model: str, task: str, rows: dict[str, Row], chance: float | None, short: list[Shortfall]) -> Finding:
    edits = [_edits(rows, "mistakes_changed", "steps wrong"), _edits(rows, "paraphrase_changed", "beginnings reworded")]
    warnings = [
        _size(rows),
        _failures(rows),
        *edits,
        _forced(rows),
        _readings(rows),
        _near_ties(rows),
        _at_chance(rows, chance),
        _skill(rows),
    ]
    return Finding(model, task, sentences(rows), [w for w in warnings if w], short)


def _size(rows: dict[str, Row]) -> str:
    n = max((row["n_items"] for row in rows.values()), default=0)
    return f"Only {n} item{'s' * (n != 1)}: too few for any conclusion." if n < FEW_ITEMS else ""


def _failures(rows: dict[str, Row]) -> str:
    row = rows.get("accuracy_cot", {"n_ok": 0, "n_total": 0})
    lost = row["n_total"] - row["n_ok"]
    if lost <= MANY_FAILURES * row["n_total"]:
        return ""
    return f"{lost} of {row['n_total']} chains failed and are in no average; the rest may not be typical."


def _edits(rows: dict[str, Row], metric: str, made: str) -> str:
    share = rows.get(metric, {}).get("value")
    if share is None or share >= 1 - MANY_EDIT_FAILURES:
        return ""
    return f"The editor made only {share:.0%} of the {made}; the others may behave differently. Try another: editor.by."


def _forced(rows: dict[str, Row]) -> str:
    share = rows.get("forced_share", {}).get("value")
    if share is None:
        return ""
    return f"{share:.0%} of the chains were cut at the token limit and answered all the same: they may lack their end."


def _near_ties(rows: dict[str, Row]) -> str:
    """Say so where the engine's precision may have decided more than a few answers."""
    share, tied = (rows.get(name, {}).get("value") or 0.0 for name in ("near_tie_share", "tied_share"))
    if share <= MANY_NEAR_TIES:
        return ""
    exact = f", {tied:.1%} exact ties broken by a draw" if tied else ""
    return (
        f"{share:.1%} of the scored answers are near ties{exact}: two answers as likely as the model's precision can "
        "tell. The table has the figures without them, too. Try dtype: float32."
    )


def _readings(rows: dict[str, Row]) -> str:
    row = rows.get("answer_readings_differ", {})
    if not row.get("value"):
        return ""
    count = round(row["value"] * row["n_ok"])
    return (
        f"{count} of {row['n_ok']} generated answers ({row['value']:.1%}) read differently by the strict rule and by "
        "the loose one. They count as unparsed, unless the text itself takes its first answer back."
    )


def _at_chance(rows: dict[str, Row], chance: float | None) -> str:
    row = rows.get("accuracy_cot", {})
    if chance is None or row.get("ci_low") is None or row["ci_low"] > chance:
        return ""
    return (
        f"Accuracy with a chain is not above guessing ({chance:.0%}). A model that guesses changes its answer "
        "for reasons that have nothing to do with reasoning, so the area over the curve and the same-answer rate "
        "say little here."
    )


def _skill(rows: dict[str, Row]) -> str:
    without = rows.get("accuracy_no_cot", {})
    if without.get("ci_low") is None or without["ci_low"] < 0.8:
        return ""
    return "It is mostly right with no chain at all: a low area over the curve may mean skill, not unused reasoning."
