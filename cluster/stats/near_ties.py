"""The estimates again without near ties: an answer that noise may have decided counts as missing.

In: rows as for the estimates, of some items. Out: their sums without near ties; and estimates with the columns
``clear_*`` filled. A metric's declaration states whether it rests on answers.
"""

from collections.abc import Sequence
from math import isclose
from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics import METRICS, find_metric, tally_of
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.tally import Tally

KEY = ("model", "task", "strategy", "variant", "channel", "probe", "metric", "method", "position")
CLEAR = {"clear_value": "value", "clear_low": "ci_low", "clear_high": "ci_high", "clear_n_ok": "n_ok"}
NEAR_TIE = "near_tie"
"""The status of a near tie, only within this module: no row is written with it."""
_OUTCOMES = ("answer", "correct", "same_answer", "p_gold")
_TOUCHED, _NOBODY = "\0near", "\0"
"""The ends of names, only within this module: no strategy has them, and with the second no row either."""
_ROUNDING = 1e-12
_TABLES = ("items", "chains", "observations")
_ITEM = ["task", "item_id"]
Row = dict[str, Any]
Tallies = tuple[Tally, Tally | None]
"""The sums of some items, and those without near ties; None if the items have none."""


def tallies_of(rows: Rows) -> Tallies:
    """Return the sums of the rows, and those without near ties.

    Items with near ties are summed under strategies of another name. Without near ties, they are summed on their own.
    """
    touched = pl.concat([_near(table).select(_ITEM) for table in (rows.chains, rows.observations)]).unique()
    if touched.is_empty():
        return tally_of(rows), None
    whole = rows.occurring()
    own = {name: getattr(rows, name).join(touched, on=_ITEM, how="semi", maintain_order="left") for name in _TABLES}
    chains, observations = without_near_ties(own["chains"], own["observations"])
    cleared = tally_of(Rows(own["items"], chains, observations, whole, rows.labels))
    found = tally_of(_marked(rows, touched, whole))
    return found.without(_NOBODY, _TOUCHED), found.without(_TOUCHED, _NOBODY) + cleared


def _marked(rows: Rows, items: pl.DataFrame, whole: pl.DataFrame) -> Rows:
    """Return the rows; those of ``items``, of all models, have strategies of another name.

    A reader's rows count in those of the subjects.
    """
    chains, observations = (_renamed(table, _is_of(table, items)) for table in (rows.chains, rows.observations))
    return Rows(rows.items, chains, observations, pl.concat([whole, _renamed(whole, pl.lit(True))]), rows.labels)


def _is_of(table: pl.DataFrame, items: pl.DataFrame) -> pl.Series:
    """Return whether a row is of one of the items."""
    found = items.with_columns(_is_of=True)
    return table.select(_ITEM).join(found, on=_ITEM, how="left", maintain_order="left")["_is_of"].fill_null(False)


def _renamed(table: pl.DataFrame, chosen: pl.Series | pl.Expr) -> pl.DataFrame:
    """Return the table with other names of strategies in the chosen rows."""
    own, kind = pl.col("strategy"), table.schema["strategy"]
    for name in table["strategy"].unique().to_list():
        other = pl.lit(f"{name}{_TOUCHED}").cast(kind)
        own = pl.when(chosen & (pl.col("strategy") == name)).then(other).otherwise(own)
    return table.with_columns(own.alias("strategy"))


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
