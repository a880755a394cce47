"""The estimates again without answers that were near ties: what noise may have decided counts as missing.

In: rows as for the estimates, and how estimates are made of them. Out: the rows without such answers, and the estimates
with the columns ``clear_*`` beside the others. Knows nothing about single metrics but which of them are no answers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.metrics.lib.frame import CHAIN
from cotfaith.schemas.tables import ESTIMATES

KEY = ("model", "task", "strategy", "probe", "metric", "method", "position")
OF_ROWS = frozenset(
    {"status_share", "tied_share", "near_tie_share", "forced_share", "mean_steps", "resampling_changed"}
)
"""Metrics that rest on no answer."""
CHOSEN = {"best_post_hoc": "by_repeats"}
"""Methods of which the outcomes choose the position -> the method that has the same figure at every position."""
CLEAR = {"clear_value": "value", "clear_low": "ci_low", "clear_high": "ci_high", "clear_n_ok": "n_ok"}
NEAR_TIE = "near_tie"
"""Stands for the status, here and nowhere else: no row is written with it."""
_OUTCOMES = ("answer", "correct", "same_answer", "p_gold")

Estimate = Callable[[pl.DataFrame, pl.DataFrame], pa.Table]
"""Chains and observations -> estimates."""


def with_clear(chains: pl.DataFrame, observations: pl.DataFrame, estimate: Estimate) -> pa.Table:
    """Return the estimates, with the figures that leave near ties out beside those that this changes."""
    table = estimate(chains, observations)
    if _near(chains).is_empty() and _near(observations).is_empty():
        return table
    clear = {_key(row): row for row in estimate(*without_near_ties(chains, observations)).to_pylist()}
    rows = [_beside(row, clear.get(_key(row)) or clear.get(_key(row, CHOSEN))) for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=ESTIMATES)


def without_near_ties(chains: pl.DataFrame, observations: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows, those of near ties without outcome; nor has what was compared with one a comparison."""
    kept = _without(chains, pl.col(NEAR_TIE).fill_null(False)) if NEAR_TIE in chains.columns else chains
    if NEAR_TIE not in observations.columns:
        return kept, observations
    observations = _compared_with(observations, _near(chains).select(CHAIN), CHAIN)
    cot = _near(observations).filter(pl.col("condition") == "once_cot")
    key = [*CHAIN[:-1], "probe", "rollout"]  # within answer_order the arm after a chain is what others compare with
    observations = _compared_with(observations, cot.select(key), key)
    return kept, _without(observations, pl.col(NEAR_TIE).fill_null(False))


def _near(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col(NEAR_TIE)) if NEAR_TIE in rows.columns else rows.clear()


def _without(rows: pl.DataFrame, near: pl.Expr) -> pl.DataFrame:
    outcomes = [name for name in _OUTCOMES if name in rows.columns]
    hidden = [pl.when(~near).then(pl.col(name)).alias(name) for name in outcomes]
    return rows.with_columns(pl.when(near).then(pl.lit(NEAR_TIE)).otherwise(pl.col("status")).alias("status"), *hidden)


def _compared_with(observations: pl.DataFrame, references: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Take the comparison from the observations whose reference is among ``references``."""
    near = references.unique().with_columns(pl.lit(True).alias("_near"))
    marked = observations.join(near, on=key, how="left", maintain_order="left")
    same = pl.when(pl.col("_near").is_null()).then(pl.col("same_answer")).alias("same_answer")
    return marked.with_columns(same).drop("_near")


def _key(row: dict[str, Any], methods: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    """Return what names an estimate; ``methods``: method -> the one to look under instead."""
    named = row | {"method": (methods or {}).get(row["method"], row["method"])}
    return tuple(named[name] for name in KEY)


def _beside(row: dict[str, Any], clear: dict[str, Any] | None) -> dict[str, Any]:
    """Add the figures without near ties, if leaving them out changes anything of this estimate.

    ``clear`` None: nothing of it is left.
    """
    found = {"value": None, "ci_low": None, "ci_high": None, "n_ok": 0} if clear is None else clear
    if row["metric"] in OF_ROWS or all(found[name] == row[name] for name in ("value", "n_ok")):
        return row
    return row | {name: found[column] for name, column in CLEAR.items()}
