"""Estimates: every metric per (model, task, strategy), with its interval and what it rests on. No pooling over tasks.

In: ITEMS, CHAINS and OBSERVATIONS rows (metrics/ turns them into per-item sums). Out: a table in the ESTIMATES
schema. A value is null where no row was ok, never 0; ``least`` and ``most`` say what it would be if all that failed had
gone one way or the other. Each interval has its own random stream, derived from the run's
seed and the metric's name, so an estimate does not depend on what else was measured.
"""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.intervals import Floats, Interval, cluster_bootstrap, curve_bootstrap, ratio_bootstrap
from cotfaith.cluster.stats.metrics import all_effects
from cotfaith.cluster.stats.metrics.lib.bounds import bounds_of
from cotfaith.cluster.stats.near_ties import with_clear
from cotfaith.cluster.stats.series import with_series
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.tables import ESTIMATES, SCHEMA_VERSION

Row = dict[str, Any]
NAME = ["model", "task", "strategy", "probe", "metric", "method"]
HEADLINES = (
    ("accuracy_no_cot", "paired"),
    ("accuracy_cot", "paired"),
    ("cot_gain", None),
    ("aoc", "trapezoid"),
    ("same_answer_no_cot", None),
)
"""Accuracies stand side by side, so they rest on the same chains; where no answer without a chain was asked for, see
``summary``."""
RATIOS = frozenset({"order_normalised"})
"""Metrics whose denominator is a mean itself."""


def aggregate(
    items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame, run_id: str, seed: int
) -> pa.Table:
    """Return all estimates of a run, with and without near ties; tables without rows give none."""
    return with_clear(chains, observations, lambda c, o: _all_estimates(all_effects(items, c, o), run_id, seed))


def _all_estimates(effects: pl.DataFrame, run_id: str, seed: int) -> pa.Table:
    rows: list[Row] = []
    for name, group in effects.group_by(NAME, maintain_order=True):
        head = {"schema_version": SCHEMA_VERSION, "run_id": run_id, **dict(zip(NAME, name, strict=True))}
        # Plain chains have no strategy in the stream: they came before there were strategies.
        stream = derive_seed(seed, *(str(part or "") for part in name if part != "cot"))
        rows.extend({**head, **estimate} for estimate in _estimates(group, stream, head["metric"]))
    return pa.Table.from_pylist(rows, schema=ESTIMATES)


def summary(estimates: pa.Table) -> list[Row]:
    """Return one row per model, task and strategy, for the terminal: the headline values, null where there are none.

    ``n_ok`` of ``n_total`` counts chains. Accuracies are of the chains that can be compared with an answer without one;
    where none was asked for, of all that are ok. Values are shares; ``*_low`` and ``*_high`` bound them; ``*_clear`` is
    the value without near ties, of ``*_clear_n_ok`` rows: both null where that changes nothing; ``near_ties`` is their
    share of the scored answers.
    ``series`` names the model, with the strategy where the run has several.
    """
    rows = with_series(estimates.to_pylist())
    named: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        named.setdefault((row["model"], row["task"], row["strategy"]), []).append(row)
    return [_summary_row(name, named[name]) for name in sorted(named)]


def _summary_row(name: tuple[str, str, str], rows: list[Row]) -> Row:
    found = {(r["metric"], r["method"]): r for r in rows if r["position"] is None}
    out: Row = {**dict(zip(("model", "task", "strategy"), name, strict=True)), "series": rows[0]["series"]}
    for metric, method in HEADLINES:
        row = found.get((metric, method)) or found.get((metric, None), {})
        out |= {metric: row.get("value"), f"{metric}_low": row.get("ci_low"), f"{metric}_high": row.get("ci_high")}
        out |= {f"{metric}_clear": row.get("clear_value"), f"{metric}_clear_n_ok": row.get("clear_n_ok")}
    chains = found.get(("accuracy_cot", None), {})
    out["near_ties"] = found.get(("near_tie_share", None), {}).get("value")
    return out | {key: chains.get(key, 0) for key in ("n_ok", "n_total", "n_items")}


def _estimates(group: pl.DataFrame, seed: int, metric: str) -> list[Row]:
    """Turn one metric's effects into one estimate per position."""
    positions = group["position"].unique(maintain_order=True).to_list()
    parts = [group.filter(pl.col("position").eq_missing(at)) for at in positions]
    if len(group) == group["item_id"].n_unique():  # every item has one position: strata, resampled each on its own
        streams = [derive_seed(seed, str(at)) for at in positions]
        intervals = [_alone(part, stream, metric) for part, stream in zip(parts, streams, strict=True)]
    else:
        intervals = curve_bootstrap(*_matrices(group, positions), seed, bounds=bounds_of(metric))
    return [_estimate(*row) for row in zip(positions, parts, intervals, strict=True)]


def _alone(part: pl.DataFrame, seed: int, metric: str) -> Interval:
    numerators, denominators = part["numerator"].to_numpy(), part["denominator"].to_numpy()
    if metric in RATIOS:
        return ratio_bootstrap(numerators, denominators, seed)
    return cluster_bootstrap(numerators, denominators, seed, bounds=bounds_of(metric))


def _matrices(group: pl.DataFrame, positions: list[float | None]) -> tuple[Floats, Floats]:
    """Return numerators and denominators, both (I, P), 0 where an item lacks a position."""
    row = group["item_id"].rank("dense").to_numpy() - 1
    column = np.array([positions.index(at) for at in group["position"].to_list()])
    num_IP = np.zeros((int(row.max()) + 1, len(positions)))
    den_IP = np.zeros_like(num_IP)
    num_IP[row, column] = group["numerator"].to_numpy()
    den_IP[row, column] = group["denominator"].to_numpy()
    return num_IP, den_IP


def _estimate(position: float | None, part: pl.DataFrame, interval: Interval) -> Row:
    divisor = float(part["denominator"].sum())
    return {
        "position": position,
        "value": float(part["numerator"].sum()) / divisor if divisor else None,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "interval": interval.kind,
        "n_total": int(part["n_total"].sum()),
        "n_ok": int(part["n_ok"].sum()),
        "n_items": int((part["n_ok"] > 0).sum()),
        "least": _case(part, "least"),
        "most": _case(part, "most"),
        "n_arms": _arms(part, "n_arms"),
        "n_arms_ok": _arms(part, "n_arms_ok"),
    }


def _case(part: pl.DataFrame, name: str) -> float | None:
    """Return the value over all rows, those that failed included; null without bounds."""
    return None if part[name].null_count() else float(part[name].sum()) / int(part["n_total"].sum())


def _arms(part: pl.DataFrame, name: str) -> int | None:
    return None if part[name].null_count() else int(part[name].sum())
