"""What is kept of each plain item, so that models can be compared where they are equally skilled without a chain.

A row for each item and GROUP:

    difficulty, n_choices    null if the item has none
    p0                       mean probability of the gold answer without a chain; null if no such answer has one
    y0                       mean correctness of the answers without a chain; null if none is ok
    <metric>_num, _den       the item's sums in each metric of ``CONDITIONED`` (``lib/by_item.py``)

An item that stands for several (``weight``) is left out: counts are of no single item.
"""

import polars as pl

from cotfaith.cluster.stats.metrics import adding_mistakes, chains, early_answering, no_cot, paraphrasing
from cotfaith.cluster.stats.metrics.lib.frame import ITEM, ok
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics, Rows, Together
from cotfaith.cluster.stats.metrics.lib.pairs import no_cot_rows
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.words import Words
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
CONDITIONED: tuple[Metric, ...] = (*RELIANCE, *ACCURACIES)
"""The metrics whose sums are kept by item."""


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


METRICS = ProbeMetrics(
    probe=None,
    theme=THEME,
    metrics=(),
    scores=no_scores,
    words=Words(remarks=nothing),
    together=Together(kept, no_scores, by_item=CONDITIONED),
)
