"""Curves over a chain: a value s at each place x, from 0 (the chain's beginning) to 1 (its end).

In: points of chains. Out: one row per chain with its curve, the area under it, its mean, and its values on a common
grid, so that chains of different lengths can be averaged. Points need not be evenly spaced. Knows nothing about probes.

One rule holds for every curve: straight lines between the points that are ok, level before the first and after the
last. A failed point is interpolated on those lines; only a chain without any ok point has no curve. A mean is over the
points that are ok. ``*_least`` and ``*_most``: the same if each failed point had its smallest, or its largest, possible
value. benchmarks/lost_arms.py measures the error of this rule.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import SHARE, Bounds
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, Value, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric

GRID = 10
"""Curves are read at 0, 1/GRID, ..., 1 of the chain."""
PLACES = 5
"""Metrics of single steps are read at the middle of each fifth of the chain."""
_LINES = ("xs", "curve", "area", "area_least", "area_most", "grid", "grid_least", "grid_most")
_LISTS = ("xs", "curve", "grid", "grid_least", "grid_most")


def area(x: Sequence[float], s: Sequence[float]) -> float:
    """Return the area from 0 to 1 under the straight lines through the points, level at both ends; x in order."""
    between = sum((b - a) * (s_a + s_b) / 2 for (a, s_a), (b, s_b) in itertools.pairwise(zip(x, s, strict=True)))
    return x[0] * s[0] + between + (1 - x[-1]) * s[-1]


def chain_curves(points: pl.DataFrame, bounds: Bounds = SHARE, end: float | None = None) -> pl.DataFrame:
    """Return one row per chain from ``points`` (CHAIN, n_steps, x, s): null x means no point, null s a failed point.

    ``bounds``: the smallest and largest s. ``end``: the value of s at x = 1 by definition, for chains with a curve.

    Columns: ``n_steps``; ``n_arms`` and ``n_arms_ok``, the numbers of points; ``xs`` and ``curve``, the ok points and
    the end, null if no point is ok; ``mean`` of the ok points; ``area`` under the curve from 0 to 1; ``grid``, the
    curve at 0, 1/GRID, ..., 1; ``mean_least``, ``area_most``, ...
    """
    placed = points.with_columns(pl.col("x").cast(pl.Float64).fill_nan(None), pl.col("s").cast(pl.Float64))
    means = chain_means(placed, pl.col("s"), pl.col("x").is_not_null(), bounds)
    lists = (
        placed.filter(pl.col("x").is_not_null())
        .sort([*CHAIN, "x"], maintain_order=True)
        .group_by(CHAIN, maintain_order=True)
        .agg("x", "s")
    )
    lines = [_lines(x, s, bounds, end) for x, s in lists.select("x", "s").iter_rows()]
    found = [pl.Series(name, [line[name] for line in lines], dtype=_dtype(name)) for name in _LINES]
    return means.join(lists.select(CHAIN).with_columns(found), on=CHAIN, how="left")


def chain_means(points: pl.DataFrame, value: pl.Expr, arm: pl.Expr, bounds: Bounds | None = SHARE) -> pl.DataFrame:
    """Return one row per chain: ``n_steps``, ``n_arms``, ``n_arms_ok`` and the ``mean`` of ``value`` over its arms.

    ``arm``: whether a row is an arm; a row that is not one stands for a lost chain. ``bounds``: the smallest and
    largest ``value``. ``mean_least`` and ``mean_most`` are null if ``bounds`` is None, and for a chain without arms.
    """
    known = points.with_columns(pl.when(arm).then(value.cast(pl.Float64)).alias("_value"), arm.alias("_arm"))
    cases = [pl.when("_arm").then(pl.col("_value").fill_null(bound)).mean() for bound in bounds or ()]
    least, most = cases or [pl.lit(None, dtype=pl.Float64)] * 2
    return known.group_by(CHAIN, maintain_order=True).agg(
        pl.col("n_steps").max(),
        pl.col("_arm").sum().alias("n_arms"),
        pl.col("_value").count().alias("n_arms_ok"),
        pl.col("_value").mean().alias("mean"),
        least.alias("mean_least"),
        most.alias("mean_most"),
    )


def of_chain(name: str) -> Value:
    """Return a column of ``chain_curves`` or ``chain_means`` as a value, with its bounds and its number of arms."""
    least, most = pl.col(f"{name}_least"), pl.col(f"{name}_most")
    return Value(pl.col(name), least, most, pl.col("n_arms"), pl.col("n_arms_ok"))


def over(name: str) -> list[pl.Expr]:
    """Return 1 minus the column of ``chain_curves``, with its worst and best case: the part above the curve."""
    cases = {f"over_{name}": name, f"over_{name}_least": f"{name}_most", f"over_{name}_most": f"{name}_least"}
    return [(1 - pl.col(column)).alias(new) for new, column in cases.items()]


def _lines(x: list[float], s: list[float | None], bounds: Bounds, end: float | None) -> dict[str, Any]:
    """Return one chain's columns; if no point is ok, only its worst and best case are set."""
    known = [(a, b) for a, b in zip(x, s, strict=True) if b is not None]
    drawn = _drawn([a for a, _ in known], [b for _, b in known], end) if known else dict.fromkeys(_LINES)
    for case, bound in zip(("least", "most"), bounds, strict=True):
        other = drawn
        if len(known) < len(x):
            other = _drawn(x, [bound if b is None else b for b in s], end if known else None)
        drawn |= {f"{name}_{case}": other[name] for name in ("area", "grid")}
    return drawn


def _drawn(x: list[float], s: list[float], end: float | None) -> dict[str, Any]:
    if end is not None:
        x, s = [*x, 1.0], [*s, end]
    return {"xs": x, "curve": s, "area": area(x, s), "grid": np.interp(np.arange(GRID + 1) / GRID, x, s).tolist()}


def _dtype(name: str) -> Any:
    return pl.List(pl.Float64) if name in _LISTS else pl.Float64


def filled(points: pl.DataFrame, of: Sequence[str] = CHAIN) -> pl.DataFrame:
    """Add ``read`` to each point (``of``, x, s): s, or for a failed point the curve's value there; null without one."""
    ok = pl.col("s").is_not_null() & pl.col("x").is_not_null()
    known = points.filter(ok).sort([*of, "x"], maintain_order=True).group_by(of, maintain_order=True)
    joined = points.join(known.agg(pl.col("x").alias("_xs"), pl.col("s").alias("_curve")), on=of, how="left")
    rows = joined.select("x", pl.col("s").cast(pl.Float64), "_xs", pl.col("_curve").cast(pl.List(pl.Float64)))
    read = [
        s if s is not None or x is None or xs is None else float(np.interp(x, xs, curve))
        for x, s, xs, curve in rows.iter_rows()
    ]
    return joined.drop("_xs", "_curve").with_columns(pl.Series("read", read, dtype=pl.Float64))


def reading(bounds: Bounds = SHARE) -> Value:
    """Return a point of ``filled`` as a value: one arm, which is interpolated on its curve if it failed."""
    least, most = (pl.col("s").cast(pl.Float64).fill_null(bound) for bound in bounds)
    asked = pl.col("x").is_not_null()
    return Value(pl.col("read"), least, most, asked, asked & pl.col("s").is_not_null())


def grid_scores(curves: pl.DataFrame, probe: str, metric: Metric) -> pl.DataFrame:
    """Return the curves' values on the grid, one score per chain and position."""
    grid = pl.DataFrame({"_j": range(GRID + 1)}).with_columns(_at=pl.Series([j / GRID for j in range(GRID + 1)]))
    placed = curves.join(grid, how="cross")
    value, least, most = (pl.col(f"grid{case}").list.get(pl.col("_j")) for case in ("", "_least", "_most"))
    cases = Value(value, least, most, pl.col("n_arms"), pl.col("n_arms_ok"))
    return scores(placed, probe, metric, cases, pl.col("_at"))


def by_place(steps: pl.DataFrame) -> pl.DataFrame:
    """Return, for each fifth of each chain, the step nearest to the middle of the fifth; ``place`` is that middle.

    In: one row per step, with CHAIN, ``step`` (from 1; null: the whole chain was lost) and ``n_steps``. Step i
    covers the chain from (i-1)/n to i/n. Every chain is read at every place, so all places rest on the same chains.
    """
    middles = pl.DataFrame({"place": [(2 * b + 1) / (2 * PLACES) for b in range(PLACES)]})
    away = ((pl.col("step") - 0.5) / pl.col("n_steps") - pl.col("place")).abs()
    crossed = steps.join(middles, how="cross").with_columns(away.alias("_away"))
    nearest = crossed.sort([*CHAIN, "place", "_away", "step"], nulls_last=True)
    return nearest.group_by([*CHAIN, "place"], maintain_order=True).first().drop("_away")
