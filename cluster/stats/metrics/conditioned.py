"""Figures over one distribution of skill, for the models of a task; and what is kept of each plain item for them.

``standardised_<metric>`` is each reliance metric over the pooled distribution of skill of all models that have it
(``lib/standardised.py``): methods.md, "Performance-conditioned faithfulness", 2. n_total: the model's items with a
value, 0 if it is the only model. n_ok: those in strata that all models reach. Without a second model there is nothing
to share a distribution with, and no value. ``stats/conditioned/pairs.py`` has the differences.

What is kept is a row for each item and GROUP:

    difficulty, n_choices    null if the item has none
    p0                       mean probability of the gold answer without a chain; null if no such answer has one
    y0                       mean correctness of the answers without a chain; null if none is ok
    <metric>_num, _den       the item's sums in each metric of ``CONDITIONED`` (``lib/by_item.py``)

An item that stands for several (``weight``) is left out: counts are of no single item.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics import adding_mistakes, chains, early_answering, no_cot, paraphrasing
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE
from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.cluster.stats.metrics.lib.frame import ITEM, ok
from cotfaith.cluster.stats.metrics.lib.measured import NO_SUPPORT, ONE_MODEL, measured
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics, Rows, Together
from cotfaith.cluster.stats.metrics.lib.pairs import no_cot_rows
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.standardised import standardised
from cotfaith.cluster.stats.metrics.lib.words import Column, Part, ReportSection, Words
from cotfaith.schemas.variants import PLAIN

THEME = "conditioned"
RELIANCE = (
    *(no_cot.RELIANCE, no_cot.SOFT),
    *(early_answering.AOC, early_answering.AOC_SOFT),
    *(adding_mistakes.AOC, adding_mistakes.AOC_SOFT),
    paraphrasing.DROPS["same_answer"],
)
"""The metrics that are standardised and matched."""
ACCURACIES = (chains.ACCURACY, no_cot.ACCURACY)
STANDARDISED = {one.title: replace(one, name=f"standardised_{one.name}", judged=()) for one in RELIANCE}
CONDITIONED: tuple[Metric, ...] = (*RELIANCE, *ACCURACIES)
"""The metrics whose sums are kept by item."""
Row = dict[str, Any]
_BLANK = (
    *("value", "ci_low", "ci_high", "band_low", "band_high", "detectable"),
    *("least", "most", "n_arms", "n_arms_ok", "n_eff"),
)


def kept(rows: Rows) -> pl.DataFrame:
    """Return a row for each plain item that has a chain or an answer without one, by GROUP."""
    chains_, without = (_plain(table) for table in (rows.chains, no_cot_rows(rows.observations)))
    there = pl.concat([_texts(chains_), _texts(without)]).unique(maintain_order=True)
    skill = without.group_by(ITEM, maintain_order=True).agg(
        ok("p_gold").cast(pl.Float64).mean().alias("p0"), ok("correct").cast(pl.Float64).mean().alias("y0")
    )
    skill = skill.with_columns(pl.col(ITEM).cast(pl.String))
    items = there.join(_facts(rows.items), on=["model", "task", "item_id"], how="inner", maintain_order="left")
    return items.join(skill, on=ITEM, how="left", maintain_order="left")


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("variant") == PLAIN)


def _texts(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(pl.col(name).cast(pl.String) for name in ITEM)


def _facts(items: pl.DataFrame) -> pl.DataFrame:
    """Return what is known of the items that stand for themselves."""
    single = items.filter(pl.col("weight").fill_null(1) == 1) if "weight" in items.columns else items
    choices = pl.col("choices").list.len().cast(pl.Int64).alias("n_choices")
    names = (pl.col(name).cast(pl.String) for name in ("model", "task", "item_id"))
    found = single.select(*names, pl.col("difficulty").cast(pl.Float64), choices)
    return found.unique(["model", "task", "item_id"], maintain_order=True)


def no_scores(_: object) -> tuple[pl.DataFrame, ...]:
    """Return nothing: an item is compared with the same item of another model."""
    return ()


def standardised_estimates(found: pl.DataFrame) -> Iterator[Row]:
    """Yield an estimate of each model, in each metric that one of them has."""
    ordered = found.sort("task", "strategy", "channel", "item_id", "model")
    for (task, strategy, channel), own in ordered.group_by("task", "strategy", "channel", maintain_order=True):
        head = {"task": task, "strategy": strategy, "channel": channel, "variant": PLAIN, "probe": None}
        for metric in RELIANCE:
            named = head | {"metric": STANDARDISED[metric.title].name, "method": metric.method, "position": None}
            yield from (named | row for row in _of_models(own, metric))


def _of_models(own: pl.DataFrame, metric: Metric) -> Iterator[Row]:
    """Yield the figures of each model that has the metric."""
    _, den = columns(metric)
    n = dict(own.filter(pl.col(den) > 0).group_by("model").len().sort("model").iter_rows())
    models = tuple(n)
    found = measured(own, models, metric) if len(models) > 1 else ONE_MODEL
    made = None if isinstance(found, str) else standardised(found.rows)
    for m, model in enumerate(models):
        row = {"model": model, "n_total": 0 if found == ONE_MODEL else n[model]} | dict.fromkeys(_BLANK)
        if isinstance(found, str) or made is None or not made.support:
            reason = found if isinstance(found, str) else NO_SUPPORT
            yield row | {"interval": reason, "n_ok": 0, "n_items": 0}
        else:
            (low, high), left = made.ends(m, metric.bounds or SHARE), int(made.n[m])
            figures = {"value": float(made.value[m]), "ci_low": low, "ci_high": high}
            yield row | figures | {"interval": found.how, "n_ok": left, "n_items": left}


SECTION = ReportSection(
    "At equal skill",
    rank=43,
    part="skill",
    note="A more skilled model relies less on its chains because it needs them less. Each figure here is averaged over "
    "the same distribution of skill for all models of the task; skill is the probability of the gold answer without a "
    "chain. Items of a skill that not all models reach are left out. A model that is more often right with a chain "
    "still changes its answer more often; what mistakes change does not depend on that.",
)
WORDS = Words(
    rank=65,
    parts=(
        Part(
            SECTION,
            columns=(
                Column("Changed without a chain", "standardised_raw_reliance", None, "%"),
                Column("AOC, chain cut", "standardised_aoc", "trapezoid"),
                Column("AOC, mistakes", "standardised_mistakes_aoc", "trapezoid"),
            ),
        ),
    ),
    remarks=nothing,
    glossary={
        "At equal skill": "Models are compared over one distribution of the probability that they answer right without "
        "a chain, so that a difference is not one of skill.",
    },
)
METRICS = ProbeMetrics(
    probe=None,
    theme=THEME,
    metrics=tuple(STANDARDISED.values()),
    scores=no_scores,
    words=WORDS,
    together=Together(kept, no_scores, standardised_estimates, by_item=CONDITIONED),
)
