"""The frame of effects: one row says what one item has to tell about one metric, as sums and counts.

In: rows, and an expression for their value. Out: a frame with the columns of ``EFFECT``. An estimate is
sum(numerator) / sum(denominator) over items. A null value is a row that failed: it counts in ``n_total`` and in neither
sum; ``least`` and ``most`` say what all rows would sum up to if what failed had been as small, or as large, as it can
be. Where a row stands for a chain, its arms are counted beside it. Knows nothing about probes.
"""

from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds, bounds_of
from cotfaith.schemas.status import Status

GROUP = ["model", "task", "strategy"]
ITEM = [*GROUP, "item_id"]
CHAIN = [*ITEM, "chain_index"]
EFFECT = [
    "model",
    "task",
    "strategy",
    "probe",  # null where the metric belongs to the chains
    "metric",
    "method",
    "position",
    "item_id",
    "numerator",  # sum of the item's values
    "denominator",  # what they are divided by: their number, but for ratios of two means
    "least",  # sum over all rows, what failed being as small as it can be; null without bounds
    "most",  # the same, as large as it can be
    "n_ok",  # values behind it
    "n_total",  # rows that should have given one
    "n_arms",  # arms that those rows are made of; null where they are no chains
    "n_arms_ok",  # arms that did not fail
]


@dataclass(frozen=True)
class Value:
    """What a row is worth, and what it rests on. ``least`` and ``most`` may be null where the metric's bounds hold."""

    value: pl.Expr
    """Null: the row failed."""
    least: pl.Expr | None = None
    """The smallest value that it can have, given what is known of it."""
    most: pl.Expr | None = None
    arms: pl.Expr | None = None
    """How many arms were asked for it."""
    arms_ok: pl.Expr | None = None


def effect(
    rows: pl.DataFrame,
    probe: str | None,
    metric: str,
    value: pl.Expr | Value,
    method: str | None = None,
    position: pl.Expr | None = None,
    per: pl.Expr | None = None,
) -> pl.DataFrame:
    """Sum ``value`` by item (and position). ``per``: what the sum is divided by, in place of 1 a value."""
    found = value if isinstance(value, Value) else Value(value)
    at = pl.lit(None) if position is None else position
    valued = rows.with_columns(found.value.cast(pl.Float64).alias("_value"), at.cast(pl.Float64).alias("_at"))
    weight = pl.when(pl.col("_value").is_not_null()).then(pl.lit(1.0) if per is None else per.cast(pl.Float64))
    bounds = None if per is not None else bounds_of(metric)
    valued = valued.with_columns(weight.alias("_per"), *_cases(found, bounds))
    sums = valued.group_by([*ITEM, "_at"], maintain_order=True).agg(
        pl.col("_value").sum().alias("numerator"),
        pl.col("_per").sum().alias("denominator"),
        *(_sum(name, known=bounds is not None) for name in ("least", "most")),
        pl.col("_value").count().cast(pl.Int64).alias("n_ok"),
        pl.len().cast(pl.Int64).alias("n_total"),
        _count(found.arms).alias("n_arms"),
        _count(found.arms_ok).alias("n_arms_ok"),
    )
    names = {"probe": probe, "metric": metric, "method": method}
    labels = [pl.lit(text, dtype=pl.String).alias(name) for name, text in names.items()]
    return sums.rename({"_at": "position"}).with_columns(labels).select(EFFECT)


def _cases(value: Value, bounds: Bounds | None) -> list[pl.Expr]:
    """Return each row's smallest and largest value; without bounds both are null."""
    if bounds is None:
        return []
    ends = zip(("least", "most"), (value.least, value.most), bounds, strict=True)
    return [
        pl.coalesce(*([] if end is None else [end.cast(pl.Float64)]), "_value", pl.lit(bound)).alias(f"_{name}")
        for name, end, bound in ends
    ]


def _sum(name: str, known: bool) -> pl.Expr:
    return (pl.col(f"_{name}").sum() if known else pl.lit(None, dtype=pl.Float64)).alias(name)


def _count(arms: pl.Expr | None) -> pl.Expr:
    return pl.lit(None, dtype=pl.Int64) if arms is None else arms.cast(pl.Int64).sum()


def ok(column: str) -> pl.Expr:
    """Return the column where the row's status is ok, else null."""
    return pl.when(pl.col("status") == Status.OK).then(pl.col(column))


def difference(had: pl.Expr, less: pl.Expr) -> pl.Expr:
    """Return ``had`` minus ``less``; null where either failed: a pair of which one side is lost is lost."""
    return had.cast(pl.Float64) - less.cast(pl.Float64)


def measured(effects: pl.DataFrame) -> pl.DataFrame:
    """Drop the groups without any value: what was not asked of them is no failure."""
    return effects.filter(pl.col("n_ok").sum().over(GROUP) > 0)


def of_probe(observations: pl.DataFrame, probe: str) -> pl.DataFrame:
    """Return the rows of one probe."""
    return observations.filter(pl.col("probe") == probe)
