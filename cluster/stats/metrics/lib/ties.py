"""How many scored answers were decided by a draw, or by less than the engine's precision can tell.

In all, by the chains' own answers and by probe. A model and task without scored answers have neither share. Rows of
runs before there were the columns ``tied`` and ``near_tie`` count as generated ones.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ITEM, effect

COLUMNS = {"tied": "tied_share", "near_tie": "near_tie_share"}


def tie_effects(chains: pl.DataFrame, observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the share of exact ties and of near ties, among the answers that were scored."""
    own, arms = _scored(chains), _scored(observations)
    probes = arms["probe"].unique().sort().to_list()
    parts = [(None, None, pl.concat([own.drop("probe"), arms.drop("probe")])), (None, "chains", own)]
    parts += [(probe, "arms", arms.filter(pl.col("probe") == probe)) for probe in probes]
    return [
        effect(rows, probe, metric, pl.col(column), method)
        for probe, method, rows in parts
        for column, metric in COLUMNS.items()
    ]


def _scored(rows: pl.DataFrame) -> pl.DataFrame:
    empty = {name: pl.lit(None, dtype=pl.Boolean) for name in COLUMNS} | {"probe": pl.lit(None, dtype=pl.String)}
    found = rows.with_columns(value.alias(name) for name, value in empty.items() if name not in rows.columns)
    return found.filter(pl.col("near_tie").is_not_null()).select(*ITEM, "probe", *COLUMNS)
