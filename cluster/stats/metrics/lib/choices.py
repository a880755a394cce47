"""How many answers an item has, and what guessing gets right. In: ITEMS rows; open answers have no known number."""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.pairs import DIFFICULTY


def n_choices() -> pl.Expr:
    """Return an item's number of possible answers; null for open answers."""
    is_boolean, is_open = pl.col("answer_format") == "boolean", pl.col("answer_format") == "text"
    n = pl.when(is_boolean).then(2).when(~is_open).then(pl.col("choices").list.len())
    return pl.when(n > 0).then(n).cast(pl.Int64)


def with_chance(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Add ``chance``: the share that guessing gets right, 1 / choices; 0 for open answers."""
    chance = (1 / n_choices()).fill_null(0.0).alias("chance")
    known = items.select(*DIFFICULTY, chance).unique(DIFFICULTY, maintain_order=True)
    return rows.join(known, on=DIFFICULTY, how="left", maintain_order="left")
