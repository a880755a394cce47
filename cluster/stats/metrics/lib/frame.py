"""Scores: the frames between rows and effects.

A score is the value of one metric for one chain, step or item. An effect is one item's summary: the sums and counts of
its scores (``effects.py``). An estimate is sum(numerator) / sum(denominator) over items. A score without a value is a
failed row: it counts in ``n_total`` and in neither sum. ``least`` and ``most`` are the sums over all rows if each
failed row had the smallest, or the largest, possible value. Scores of steps are the parts of a chain's own score: they
are validated but not summed. Knows nothing about probes.
"""

from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.metric import ASKED as ASKED
from cotfaith.cluster.stats.metrics.lib.metric import GROUP as GROUP
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.storage.codes import dense_codes, numbers
from cotfaith.schemas.records import READER, RULES
from cotfaith.schemas.status import Status

ITEM = [*GROUP, "item_id"]
CHAIN = [*ITEM, "chain_index"]
NAME = ["probe", "metric", "method"]
SCORE = [
    *NAME,  # probe is null if the metric describes the chains
    *CHAIN,  # chain_index is null for a score of an item
    "step",  # from 1; null: the score is of the whole chain or item
    "position",  # for curves: the place on the probe's axis
    "value",  # null: failed
    "least",  # the value, or the smallest possible one if it failed; null without bounds
    "most",  # the same, the largest
    "per",  # what it adds to the denominator: 1, except for ratios of two means; null without a value
    "n_arms",  # arms behind it; null if it is not a chain's score
    "n_arms_ok",  # arms that did not fail
    "optional",  # whether it counts only if its group has a value
]


@dataclass(frozen=True)
class Value:
    """A row's value, its bounds and its arms. If ``least`` or ``most`` is null, a failed row has the metric's bound."""

    value: pl.Expr
    """Null: the row failed."""
    least: pl.Expr | None = None
    """The smallest value that it can have, given what is known about it."""
    most: pl.Expr | None = None
    arms: pl.Expr | None = None
    """The number of arms that were asked for it."""
    arms_ok: pl.Expr | None = None


def scores(
    rows: pl.DataFrame,
    probe: str | None,
    metric: Metric,
    value: pl.Expr | Value,
    position: pl.Expr | None = None,
    per: pl.Expr | None = None,
    step: pl.Expr | None = None,
) -> pl.DataFrame:
    """Return one score for each of ``rows``, with the columns of ``SCORE``. ``per``: the denominator, by default 1."""
    found = value if isinstance(value, Value) else Value(value)
    names = {"probe": probe, "metric": metric.name, "method": metric.method}
    valued = rows.select(
        *ITEM,
        _index(rows).alias("chain_index"),
        _cast(step, pl.Int32).alias("step"),
        _cast(position, pl.Float64).alias("position"),
        found.value.cast(pl.Float64).alias("value"),
        _cast(found.least, pl.Float64).alias("least"),
        _cast(found.most, pl.Float64).alias("most"),
        (pl.lit(1.0) if per is None else per.cast(pl.Float64)).alias("per"),
        _cast(found.arms, pl.Int64).alias("n_arms"),
        _cast(found.arms_ok, pl.Int64).alias("n_arms_ok"),
    )
    some_failed = valued["value"].null_count() > 0
    made: dict[str, pl.Expr] = {name: pl.lit(text, dtype=pl.String) for name, text in names.items()}
    made |= {"optional": pl.lit(False)} | _cases(None if per is not None else metric.bounds, some_failed)
    if some_failed:
        made["per"] = pl.when(pl.col("value").is_not_null()).then("per")
    return valued.select(made.get(name, pl.col(name)).alias(name) for name in SCORE)


def _index(rows: pl.DataFrame) -> pl.Expr:
    known = "chain_index" in rows.columns
    return (pl.col("chain_index") if known else pl.lit(None)).cast(pl.Int32)


def _cast(expression: pl.Expr | None, dtype: type[pl.DataType]) -> pl.Expr:
    return pl.lit(None, dtype=dtype) if expression is None else expression.cast(dtype)


def _cases(bounds: Bounds | None, some_failed: bool) -> dict[str, pl.Expr]:
    """Return each row's smallest and largest value; without bounds both are null."""
    if bounds is None:
        return {name: pl.lit(None, dtype=pl.Float64) for name in ("least", "most")}
    ends = zip(("least", "most"), bounds, strict=True)
    return {name: pl.coalesce(name, "value", *([pl.lit(bound)] if some_failed else [])) for name, bound in ends}


def ok(column: str) -> pl.Expr:
    """Return the column if the row's status is ok, else null."""
    return pl.when(pl.col("status") == Status.OK).then(pl.col(column))


def difference(had: pl.Expr, less: pl.Expr) -> pl.Expr:
    """Return ``had`` minus ``less``; null if either is null: a pair with one failed side counts as failed."""
    return had.cast(pl.Float64) - less.cast(pl.Float64)


def measured(found: pl.DataFrame) -> pl.DataFrame:
    """Let scores count only in groups with a value: a question that was not asked of a group is not a failure.

    ``found`` may be the scores of some of a group's items, so they are marked here, and left out when all are known.
    """
    return found.with_columns(pl.lit(True).alias("optional"))


def accountable() -> pl.Expr:
    """Return the model for which a row's failure counts: the judge if a judge failed, else the subject.

    A reader that answers the item's question with the subject's chain is part of the experiment on that subject. A row
    of rules that failed has the status of the subject's chain.
    """
    judged = pl.col("reader_role").is_not_null() & (pl.col("reader_role") != READER) & (pl.col("reader") != RULES)
    return pl.when(judged).then(pl.coalesce("reader", "model")).otherwise(pl.col("model")).alias("model")


def of_probe(observations: pl.DataFrame, probe: str) -> pl.DataFrame:
    """Return the rows of one probe; without a copy if they follow one another, as in rows from a run's folder."""
    own = observations.select(pl.col("probe") == probe).to_series().fill_null(False)
    places = own.arg_true()
    if len(places) and places[-1] - places[0] + 1 == len(places):
        return observations.slice(places[0], len(places))
    return observations.filter(own)


def chain_numbers(rows: pl.DataFrame) -> pl.Series:
    """Return a number for each row, the same for rows of one chain, in the order in which chains appear."""
    return pl.Series("_chain", dense_codes(numbers(rows, CHAIN))[0])
