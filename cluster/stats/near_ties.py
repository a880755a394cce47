"""The estimates again without near ties: an answer that noise may have decided counts as missing.

In: rows as for the estimates, of some items. Out: their sums without near ties; and estimates with the columns
``clear_*`` filled. A metric's declaration states whether it rests on answers.
"""

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

import polars as pl

from cotfaith.cluster.stats.marked import Mark, by_mark, marked
from cotfaith.cluster.stats.metrics import METRICS, find_metric, tally_of
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.metrics.lib.statuses import NEAR_TIE
from cotfaith.cluster.stats.tally import Tally

KEY = ("model", "task", "strategy", "variant", "channel", "probe", "metric", "method", "position")
CLEAR = {"clear_value": "value", "clear_low": "ci_low", "clear_high": "ci_high", "clear_n_ok": "n_ok"}
_OUTCOMES = ("answer", "correct", "same_answer", "p_gold")
_ROUNDING = 1e-12
_TABLES = ("items", "chains", "observations")
_ITEM = ["task", "item_id"]
_TOUCHED, _CLEARED = "near", "clear"
"""The rows of items with near ties, and the same rows without these; other rows have the mark ``""``."""
Row = dict[str, Any]
Tallies = tuple[Tally, Tally | None]
"""The sums of some items, and those without near ties; None if the items have none."""


def tallies_of(rows: Rows) -> Tallies:
    """Return the sums of the rows, and those without near ties."""
    own = [getattr(rows, name).select(pl.col(_ITEM).cast(pl.String)) for name in _TABLES]
    return tallies_by_range(rows, pl.concat(own).unique().with_columns(range=pl.lit(0)))[0]


def tallies_by_range(rows: Rows, ranges: pl.DataFrame) -> dict[int, Tallies]:
    """Return the sums of each range of items, as ``tallies_of`` returns them: all are made in one go.

    ``ranges``: task, item_id and ``range``, a number; each item of the rows once. An item with near ties is summed
    twice, with them and without them.
    """
    touched = pl.concat([_near(table).select(_ITEM) for table in (rows.chains, rows.observations)]).unique()
    numbers = ranges["range"].unique().sort().to_list() or [0]
    if touched.is_empty() and len(numbers) == 1:
        return {numbers[0]: (tally_of(rows), None)}
    near_ones = touched.cast(pl.String).with_columns(is_near=True)
    items = ranges.join(near_ones, on=_ITEM, how="left", maintain_order="left")
    is_near = set(items.filter("is_near")["range"])
    found = by_mark(tally_of(_marked(rows, items)))
    return {number: _tallies(found, number, number in is_near) for number in numbers}


def _tallies(found: Mapping[Mark, Tally], number: int, is_near: bool) -> Tallies:
    """Return the sums of one range."""
    rest = found.get((number, ""), Tally())
    if not is_near:
        return rest, None
    touched, cleared = (found.get((number, kind), Tally()) for kind in (_TOUCHED, _CLEARED))
    return rest + touched, rest + cleared


def _marked(rows: Rows, items: pl.DataFrame) -> Rows:
    """Return the rows under strategies that are marked with their range; those of items with near ties also cleared.

    A reader's rows count in those of the subjects, so an item's rows of all models have one mark.
    """
    kind = pl.when("is_near").then(pl.lit(_TOUCHED)).otherwise(pl.lit(""))
    marks = items.select(*_ITEM, "range", kind.alias("kind"))
    clear = items.filter("is_near").select(*_ITEM, "range", pl.lit(_CLEARED).alias("kind"))
    chains, observations = marked(rows.chains, marks), marked(rows.observations, marks)
    if len(clear):
        own = (_of_items(table, clear) for table in (rows.chains, rows.observations))
        cleared = [marked(table, clear) for table in without_near_ties(*own)]
        chains, observations = (_joined(both) for both in zip((chains, observations), cleared, strict=True))
    whole = [marked(rows.occurring(), one.drop("item_id").unique()) for one in (marks, clear)]
    return Rows(rows.items, chains, observations, pl.concat(whole), rows.labels)


def _joined(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of the first table, then those of the others, in its types."""
    return pl.concat([table.select(pl.col(name).cast(t) for name, t in tables[0].schema.items()) for table in tables])


def _of_items(table: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of some items."""
    ids = items.select(pl.col(name).cast(table.schema[name]) for name in _ITEM)
    return table.join(ids, on=_ITEM, how="semi", maintain_order="left")


def beside(rows: Sequence[Row], clear: Sequence[Row]) -> list[Row]:
    """Return the estimates; each one that near ties can change also has its figures without them."""
    found = {_key(row, row["method"]): row for row in clear}
    return [_beside(row, found) for row in rows]


def without_near_ties(chains: pl.DataFrame, observations: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows; near ties have no outcome, and rows that were compared with a near tie have no comparison."""
    kept = _without(chains, pl.col(NEAR_TIE).fill_null(False)) if NEAR_TIE in chains.columns else chains
    if NEAR_TIE not in observations.columns:
        return kept, observations
    observations = _compared_with(observations, _near(chains).select(CHAIN), CHAIN)
    key = [*CHAIN, "probe", "rollout"]
    observations = _compared_with(observations, _near(observations).filter(_is_reference()).select(key), key)
    return kept, _without(observations, pl.col(NEAR_TIE).fill_null(False))


def _near(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col(NEAR_TIE)) if NEAR_TIE in rows.columns else rows.clear()


def _is_reference() -> pl.Expr:
    """Return whether a row is the one that the other arms of its rollout are compared with."""
    declared = [(one.probe, one.reference) for one in METRICS.values() if one.reference is not None]
    found = [(pl.col("probe") == probe) & (pl.col("condition") == condition) for probe, condition in declared]
    return pl.any_horizontal(*found) if found else pl.lit(False)


def _without(rows: pl.DataFrame, near: pl.Expr) -> pl.DataFrame:
    outcomes = [name for name in _OUTCOMES if name in rows.columns]
    hidden = [pl.when(~near).then(pl.col(name)).alias(name) for name in outcomes]
    return rows.with_columns(pl.when(near).then(pl.lit(NEAR_TIE)).otherwise(pl.col("status")).alias("status"), *hidden)


def _compared_with(observations: pl.DataFrame, references: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Set ``same_answer`` to null in the observations whose reference is among ``references``."""
    near = references.unique().with_columns(pl.lit(True).alias("_near"))
    marked = observations.join(near, on=key, how="left", maintain_order="left", nulls_equal=True)
    same = pl.when(pl.col("_near").is_null()).then(pl.col("same_answer")).alias("same_answer")
    return marked.with_columns(same).drop("_near")


def _key(row: Row, method: str | None) -> tuple[Any, ...]:
    """Return the key of an estimate, under ``method``."""
    return tuple((row | {"method": method})[name] for name in KEY)


def _beside(row: Row, clear: dict[tuple[Any, ...], Row]) -> Row:
    """Add the figures without near ties, if leaving these out changes this estimate."""
    metric, nothing = find_metric(row["metric"], row["method"]), {"value": None, "ci_low": None, "ci_high": None}
    same = clear.get(_key(row, metric.same_as)) if metric.same_as else None
    found = clear.get(_key(row, row["method"])) or same or nothing | {"n_ok": 0}
    if not metric.of_answers or (found["n_ok"] == row["n_ok"] and _is_same(found["value"], row["value"])):
        return row
    return row | {name: found[column] for name, column in CLEAR.items()}


def _is_same(one: float | None, other: float | None) -> bool:
    """Return whether both are the same up to rounding: their sums were made in other orders."""
    return one is other or (one is not None and other is not None and isclose(one, other, rel_tol=_ROUNDING))
