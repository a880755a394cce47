"""Joins of rows with their item's answer without a chain, and with their item's difficulty."""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ASKED, difference, of_probe, ok

DIFFICULTY = ["model", "task", "item_id"]


def no_cot_rows(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the arms without a chain; an item whose probe failed has one row in their place."""
    return of_probe(observations, "no_cot")


def with_no_cot(rows: pl.DataFrame, no_cot: pl.DataFrame) -> pl.DataFrame:
    """Add ``no_cot_correct`` and ``no_cot_answer`` of the row's item, null if that arm failed or is missing."""
    key = [*ASKED, "item_id"]  # it has no channel of its own
    baseline = no_cot.select(*key, ok("correct").alias("no_cot_correct"), ok("answer").alias("no_cot_answer"))
    return rows.join(baseline.unique(key, maintain_order=True), on=key, how="left")


def gain(right: pl.Expr | None = None) -> pl.Expr:
    """Return correctness in the row (``right``: its column) minus correctness without a chain."""
    return difference(ok("correct") if right is None else right, pl.col("no_cot_correct"))


def with_difficulty(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose item has a difficulty."""
    difficulty = items.select([*DIFFICULTY, "difficulty"]).unique(DIFFICULTY, maintain_order=True)
    return rows.join(difficulty, on=DIFFICULTY, how="left").filter(pl.col("difficulty").is_not_null())
