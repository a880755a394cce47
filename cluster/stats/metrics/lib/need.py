"""Which items need a chain: the model does not get them right without one.

In: rows of a run. Out: plain items, each with its need. An item needs the chain if the probability of its gold answer
without a chain is below 0.5; an answer without probabilities (it was sampled) needs it if it is wrong. A failed answer,
or one of an item without a known gold answer, tells nothing: its need is null. Items whose ok chains all have one step
are left out: nothing on the way can be taken away from them.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ITEM, Value, ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric, Rows
from cotfaith.cluster.stats.metrics.lib.pairs import no_cot_rows, with_difficulty
from cotfaith.schemas.variants import PLAIN

UNSURE = 0.5
"""An item needs the chain if the probability of its gold answer without one is below this."""


def items_by_need(rows: Rows) -> pl.DataFrame:
    """Return each plain item that was answered without a chain, once: ITEM and these columns.

    ``by_p``: whether its gold answer's probability is below 0.5; null without probabilities. ``by_answer``: whether its
    answer is wrong. ``needs``: the first of them that is known. ``one_step``: whether it is left out.
    """
    without = no_cot_rows(rows.observations).filter(pl.col("variant") == PLAIN).unique(ITEM, maintain_order=True)
    by_p, by_answer = ok("p_gold") < UNSURE, ~ok("correct")
    needs = pl.coalesce(by_p, by_answer)
    found = without.select(*ITEM, by_p.alias("by_p"), by_answer.alias("by_answer"), needs.alias("needs"))
    joined = found.join(_one_step(rows.chains), on=ITEM, how="left", maintain_order="left")
    return joined.with_columns(pl.col("one_step").fill_null(False))


def of_needed(rows: Rows, found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ``found`` whose item needs the chain."""
    needed = items_by_need(rows).filter(pl.col("needs") & ~pl.col("one_step"))
    return found.join(needed, on=ITEM, how="semi", maintain_order="left")


def scores_by_difficulty(
    rows: Rows, found: pl.DataFrame, probe: str, metrics: tuple[Metric, Metric], value: pl.Expr | Value
) -> Iterator[pl.DataFrame]:
    """Yield the scores of ``found`` by difficulty: of all items, and of those that need the chain."""
    graded, difficulty = with_difficulty(found, rows.items), pl.col("difficulty")
    yield scores(graded, probe, metrics[0], value, difficulty)
    yield scores(of_needed(rows, graded), probe, metrics[1], value, difficulty)


def _one_step(chains: pl.DataFrame) -> pl.DataFrame:
    """Return ITEM and ``one_step``: whether no ok chain has two steps; items without ok chains are missing."""
    steps = chains.select(*ITEM, ok("n_steps").alias("_steps")).drop_nulls("_steps")
    return steps.group_by(ITEM, maintain_order=True).agg((pl.col("_steps").max() <= 1).alias("one_step"))
