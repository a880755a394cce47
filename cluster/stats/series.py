"""The name of a line in a table or figure: the model, with its strategy and its channel if a run has several.

In: rows with ``model``, ``strategy`` and ``channel``. Out: rows with all in one name. Knows nothing about metrics.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

Row = dict[str, Any]


def with_series(rows: Iterable[Row]) -> list[Row]:
    """Add ``series`` to every row: the model; " · strategy" if there are several; " · channel" likewise."""
    rows = list(rows)
    named = [name for name in ("strategy", "channel") if len({row.get(name) for row in rows}) > 1]
    return [{**row, "series": _name(row, named)} for row in rows]


def _name(row: Row, named: Sequence[str]) -> str:
    return " · ".join([row["model"], *(row.get(name) or "channel not told apart" for name in named)])


def in_series(chains: pl.DataFrame, observations: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both tables with the series in place of ``model``; rows of all channels have one name."""
    several = chains["strategy"].n_unique() > 1
    name = pl.concat_str("model", pl.lit(" · "), "strategy") if several else pl.col("model")
    return chains.with_columns(name.alias("model")), observations.with_columns(name.alias("model"))
