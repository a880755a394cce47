"""The share of scored answers that are exact ties, broken by a draw, or closer than the engine's noise lets tell.

There is one share over all answers, one over the chains' own answers ("chains") and one per probe ("arms"). A model and
task without scored answers have no shares. Rows without the columns ``tied`` and ``near_tie`` count as generated ones.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ITEM, of_probe, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric, Rows

COLUMNS = {"tied": "tied_share", "near_tie": "near_tie_share"}
SHARES = tuple(
    Metric(name, method, of_answers=False) for name in COLUMNS.values() for method in (None, "chains", "arms")
)


def tie_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield whether each scored answer is an exact tie, and whether it is a near tie."""
    own, arms = _scored(rows.chains), _scored(rows.observations)
    parts = [(None, None, pl.concat([own.drop("probe"), arms.drop("probe")])), (None, "chains", own)]
    parts += [(name, "arms", of_probe(arms, name)) for name in arms["probe"].unique().sort()]
    for probe, method, found in parts:
        for column, name in COLUMNS.items():
            yield scores(found, probe, Metric(name, method), pl.col(column))


def _scored(rows: pl.DataFrame) -> pl.DataFrame:
    empty = {name: pl.lit(None, dtype=pl.Boolean) for name in COLUMNS} | {"probe": pl.lit(None, dtype=pl.String)}
    found = rows.with_columns(value.alias(name) for name, value in empty.items() if name not in rows.columns)
    return found.select(*ITEM, "probe", *COLUMNS).filter(pl.col("near_tie").is_not_null())
