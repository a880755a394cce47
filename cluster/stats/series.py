"""The name of a line in a table or figure: the model, with its strategy if a run has several.

In: rows with ``model`` and ``strategy``. Out: rows with both in one name. Knows nothing about metrics.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

Row = dict[str, Any]


def with_series(rows: Iterable[Row]) -> list[Row]:
    """Add ``series`` to every row: the model, or "model · strategy" if there is more than one strategy."""
    rows = list(rows)
    several = len({row["strategy"] for row in rows}) > 1
    return [{**row, "series": f"{row['model']} · {row['strategy']}" if several else row["model"]} for row in rows]


def in_series(chains: pl.DataFrame, observations: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both tables with the series in place of ``model``."""
    several = chains["strategy"].n_unique() > 1
    name = pl.concat_str("model", pl.lit(" · "), "strategy") if several else pl.col("model")
    return chains.with_columns(name.alias("model")), observations.with_columns(name.alias("model"))
