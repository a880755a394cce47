"""The vectors of a metric that is a function of several sums: the parts of the sums that belong to one item.

In: rows with the columns of the sums, one or more for each item. Out: a frame with a line for each item: GROUP, NAME,
``PARTS`` and the counts ``COUNTED``. Knows nothing about what the sums mean.
"""

from collections.abc import Sequence

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import GROUP, ITEM, NAME
from cotfaith.cluster.stats.metrics.lib.function import COUNTED, PARTS
from cotfaith.cluster.stats.metrics.lib.metric import Metric

VECTOR = [*GROUP, *NAME, *PARTS, "n_items", *COUNTED]
"""The columns of vectors. ``n_items``: how many items have this vector."""
SCHEMA = pl.Schema(
    dict.fromkeys((*GROUP, *NAME), pl.String())
    | dict.fromkeys(PARTS, pl.Float64())
    | dict.fromkeys(("n_items", *COUNTED), pl.Int64())
)


def vectors(
    rows: pl.DataFrame,
    probe: str | None,
    metric: Metric,
    sums: Sequence[str],
    counts: pl.Expr,
    arms: tuple[pl.Expr, pl.Expr] | None = None,
) -> pl.DataFrame:
    """Return one line for each different vector, with the number of items that have it.

    Args:
        rows: GROUP, item_id, and the columns of the sums.
        probe: whose metric it is.
        metric: the metric.
        sums: the columns that are summed, in the order of the vector.
        counts: whether a row counts in the sums; others count in ``n_total`` only.
        arms: the arms behind a row, and those that did not fail.

    """
    asked, there = arms if arms is not None else (pl.lit(0), pl.lit(0))
    parts = [pl.when("_counts").then(pl.col(name).cast(pl.Float64)).sum().alias(part) for name, part in _placed(sums)]
    by_item = (
        rows.with_columns(counts.fill_null(False).alias("_counts"), asked.alias("_arms"), there.alias("_arms_ok"))
        .group_by(ITEM, maintain_order=True)
        .agg(
            *parts,
            pl.len().cast(pl.Int64).alias("n_total"),
            pl.col("_counts").sum().cast(pl.Int64).alias("n_ok"),
            pl.col("_arms").sum().cast(pl.Int64).alias("n_arms"),
            pl.col("_arms_ok").sum().cast(pl.Int64).alias("n_arms_ok"),
        )
    )
    named = by_item.with_columns(
        pl.lit(probe, dtype=pl.String).alias("probe"),
        pl.lit(metric.name).alias("metric"),
        pl.lit(metric.method, dtype=pl.String).alias("method"),
        *(pl.lit(0.0).alias(part) for part in PARTS[len(sums) :]),
        pl.lit(1, dtype=pl.Int64).alias("n_items"),
    )
    return together([named.select(VECTOR).with_columns(pl.col(*GROUP, *NAME).cast(pl.String))])


def _placed(sums: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(sums, PARTS, strict=False))


def together(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the different vectors of all frames, in a fixed order."""
    joined = pl.concat([SCHEMA.to_frame(), *frames]).group_by([*GROUP, *NAME, *PARTS])
    return joined.agg(pl.col("n_items", *COUNTED).sum()).select(VECTOR).sort([*GROUP, *NAME, *PARTS])
