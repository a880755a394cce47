"""Estimates: every metric per (model, task, strategy), with its interval and its counts. No pooling over tasks.

In: ITEMS, CHAINS and OBSERVATIONS rows (metrics/ turns them into scores, and those into per-item sums). Out: a table in
the ESTIMATES schema. A value is null if no row was ok, never 0. ``least`` and ``most`` are the value if all failed rows
had had the smallest or the largest possible value. Nothing is drawn at random: an estimate does not depend on what else
was measured.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.curve_bands import simultaneous_tail
from cotfaith.cluster.stats.intervals import TAIL, Floats, Interval, Sums, interval
from cotfaith.cluster.stats.metrics import all_effects, find_metric, unknown_probes
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.near_ties import with_clear
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of

Row = dict[str, Any]
NAME = ["model", "task", "strategy", "probe", "metric", "method"]


def aggregate(
    items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame, run_id: str, seed: int
) -> pa.Table:
    """Return all estimates of a run, with and without near ties; tables without rows give none."""
    if unknown := unknown_probes(observations):
        warnings.warn(
            f"No metrics are registered for {', '.join(unknown)}, so the estimates only count the statuses of their "
            "rows. Name the module that registers them with --plugin.",
            stacklevel=2,
        )
    return with_clear(chains, observations, lambda c, o: _all_estimates(all_effects(items, c, o), run_id, seed))


def _all_estimates(effects: pl.DataFrame, run_id: str, seed: int) -> pa.Table:
    rows: list[Row] = []
    for name, group in effects.group_by(NAME, maintain_order=True):
        head = {"schema_version": SCHEMA_VERSION, "run_id": run_id, **dict(zip(NAME, name, strict=True))}
        metric = find_metric(head["metric"], head["method"])
        rows.extend({**head, **estimate} for estimate in _estimates(group, metric))
    return table_of("estimates", rows)


def _estimates(group: pl.DataFrame, metric: Metric) -> list[Row]:
    """Turn one metric's effects into one estimate per position, with a band over all positions if items share them."""
    positions = group["position"].unique(maintain_order=True).to_list()
    parts = [group] if len(positions) == 1 else group.partition_by("position", maintain_order=True)
    intervals = [_interval(part, metric) for part in parts]
    bands: Sequence[Interval | None] = [None] * len(parts)
    if len(group) > group["item_id"].n_unique() and not metric.ratio:  # else every item has one position: strata
        tail = simultaneous_tail(*_matrices(group, positions))
        bands = [_interval(part, metric, tail) for part in parts]
    return [_estimate(*row) for row in zip(positions, parts, intervals, bands, strict=True)]


def _interval(part: pl.DataFrame, metric: Metric, tail: float = TAIL) -> Interval:
    return interval(_sums(part), metric.bounds, of_means=metric.ratio, tail=tail)


def _sums(part: pl.DataFrame) -> Sums:
    return Sums.of(*(part[name].to_numpy() for name in ("numerator", "denominator", "squares")))


def _matrices(group: pl.DataFrame, positions: list[float | None]) -> tuple[Floats, Floats]:
    """Return numerators and denominators, both (I, P), 0 if an item lacks a position."""
    row = group["item_id"].rank("dense").to_numpy() - 1
    column = np.array([positions.index(at) for at in group["position"].to_list()])
    num_IP = np.zeros((int(row.max()) + 1, len(positions)))
    den_IP = np.zeros_like(num_IP)
    num_IP[row, column] = group["numerator"].to_numpy()
    den_IP[row, column] = group["denominator"].to_numpy()
    return num_IP, den_IP


def _estimate(position: float | None, part: pl.DataFrame, own: Interval, band: Interval | None) -> Row:
    sums = _sums(part)
    return {
        "position": position,
        "value": float(sums.num / sums.den) if sums.den else None,
        "ci_low": own.low,
        "ci_high": own.high,
        "interval": own.kind,
        "band_low": None if band is None else band.low,
        "band_high": None if band is None else band.high,
        "detectable": own.detectable,
        "n_total": int(part["n_total"].sum()),
        "n_ok": int(part["n_ok"].sum()),
        "n_items": int((part["n_ok"] > 0).sum()),
        "n_eff": float(sums.n_eff),
        "least": _case(part, "least"),
        "most": _case(part, "most"),
        "n_arms": _arms(part, "n_arms"),
        "n_arms_ok": _arms(part, "n_arms_ok"),
    }


def _case(part: pl.DataFrame, name: str) -> float | None:
    """Return the value over all rows, failed ones included; null without bounds."""
    return None if part[name].null_count() else float(part[name].sum()) / int(part["n_total"].sum())


def _arms(part: pl.DataFrame, name: str) -> int | None:
    return None if part[name].null_count() else int(part[name].sum())
