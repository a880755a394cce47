"""Curves over a chain: a value s at each place x, from 0 (the chain's beginning) to 1 (its end).

In: points of chains. Out: one row per chain with its curve, the area under it, its mean, and its values on a common
grid, so that chains of different lengths can be averaged. Points need not be evenly spaced. Knows nothing about probes.

One rule holds for every curve: straight lines between the points that are ok, level before the first and after the
last. A failed point is interpolated on those lines; only a chain without any ok point has no curve. A mean is over the
points that are ok. ``*_least`` and ``*_most``: the same if each failed point had its smallest, or its largest, possible
value. benchmarks/lost_arms.py measures the error of this rule.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import SHARE, Bounds
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, Value, chain_numbers, scores
from cotfaith.cluster.stats.metrics.lib.lines import Bools, Floats, Ints, Lines
from cotfaith.cluster.stats.metrics.lib.metric import Metric

GRID = 10
"""Curves are read at 0, 1/GRID, ..., 1 of the chain."""
PLACES = 5
"""Metrics of single steps are read at the middle of each fifth of the chain."""
_GRID_G = np.arange(GRID + 1) / GRID


def chain_curves(points: pl.DataFrame, bounds: Bounds = SHARE, end: float | None = None) -> pl.DataFrame:
    """Return one row per chain from ``points`` (CHAIN, n_steps, x, s): null x means no point, null s a failed point.

    ``bounds``: the smallest and largest s. ``end``: the value of s at x = 1 by definition, for chains with a curve.

    Columns: ``n_steps``; ``n_arms`` and ``n_arms_ok``, the numbers of points; ``xs`` and ``curve``, the ok points and
    the end, null if no point is ok; ``mean`` of the ok points; ``area`` under the curve from 0 to 1; ``grid``, the
    curve at 0, 1/GRID, ..., 1, each null if no point is ok; ``mean_least``, ``area_most``, ...
    """
    placed = points.with_columns(pl.col("x").cast(pl.Float64).fill_nan(None), pl.col("s").cast(pl.Float64))
    means = chain_means(placed, pl.col("s"), pl.col("x").is_not_null(), bounds, ("x", "s"))
    line_N = np.repeat(np.arange(len(means)), means["x"].list.len().to_numpy())
    x_N, s_N = (means[name].explode().cast(pl.Float64).to_numpy() for name in ("x", "s"))
    there = ~np.isnan(x_N)
    return means.drop("x", "s").with_columns(_drawn(len(means), line_N[there], x_N[there], s_N[there], bounds, end))


def chain_means(
    points: pl.DataFrame,
    value: pl.Expr,
    arm: pl.Expr,
    bounds: Bounds | None = SHARE,
    lists: Sequence[str] = (),
) -> pl.DataFrame:
    """Return one row per chain: ``n_steps``, ``n_arms``, ``n_arms_ok`` and the ``mean`` of ``value`` over its arms.

    ``arm``: whether a row is an arm; a row that is not one stands for a lost chain. ``bounds``: the smallest and
    largest ``value``. ``mean_least`` and ``mean_most`` are null if ``bounds`` is None, and for a chain without arms.
    ``lists``: columns to return as lists.
    """
    of_arm = pl.when(arm).then(value.cast(pl.Float64)).alias("_value")
    known = points.with_columns(of_arm, arm.alias("_arm"), chain_numbers(points))
    cases = [pl.when("_arm").then(pl.col("_value").fill_null(bound)).mean() for bound in bounds or ()]
    least, most = cases or [pl.lit(None, dtype=pl.Float64)] * 2
    means = known.group_by("_chain", maintain_order=True).agg(
        pl.col(CHAIN).first(),
        pl.col("n_steps").max(),
        pl.col("_arm").sum().alias("n_arms"),
        pl.col("_value").count().alias("n_arms_ok"),
        pl.col("_value").mean().alias("mean"),
        least.alias("mean_least"),
        most.alias("mean_most"),
        *lists,
    )
    return means.drop("_chain")


def area_under(s: pl.Expr, x: pl.Expr) -> pl.Expr:
    """Return the area under straight lines through the points of a group, in order of ``x`` and without nulls."""
    return ((s + s.shift(1)) / 2 * (x - x.shift(1))).sum()


def of_chain(name: str) -> Value:
    """Return a column of ``chain_curves`` or ``chain_means`` as a value, with its bounds and its number of arms."""
    least, most = pl.col(f"{name}_least"), pl.col(f"{name}_most")
    return Value(pl.col(name), least, most, pl.col("n_arms"), pl.col("n_arms_ok"))


def over(name: str) -> list[pl.Expr]:
    """Return 1 minus the column of ``chain_curves``, with its worst and best case: the part above the curve."""
    cases = {f"over_{name}": name, f"over_{name}_least": f"{name}_most", f"over_{name}_most": f"{name}_least"}
    return [(1 - pl.col(column)).alias(new) for new, column in cases.items()]


def _drawn(n: int, line_N: Ints, x_N: Floats, s_N: Floats, bounds: Bounds, end: float | None) -> list[pl.Series]:
    """Return the columns of ``n`` chains that depend on the order of the points; failed points have s nan.

    If no point of a chain is ok, only its worst and best case are known.
    """
    ok_N = ~np.isnan(s_N)
    has_ok_L = _marked(n, line_N[ok_N])  # the curves that have an end
    ended = np.flatnonzero(has_ok_L)
    ok_lines = _lines(line_N[ok_N], x_N[ok_N], s_N[ok_N], ended, end)
    drawn = [_list(n, ok_lines, ok_lines.x, "xs"), _list(n, ok_lines, ok_lines.s, "curve")]
    known = _filled(n, ok_lines)
    has_failed_L = _marked(n, line_N[~ok_N])
    failed_N, some_ended = has_failed_L[line_N], np.flatnonzero(has_failed_L & has_ok_L)
    for case, bound in ((None, 0.0), *zip(("least", "most"), bounds, strict=True)):
        area_L, grid_LG = (column.copy() for column in known)
        if case is not None:
            s_failed = np.where(ok_N, s_N, bound)[failed_N]
            some = _lines(line_N[failed_N], x_N[failed_N], s_failed, some_ended, end)
            area_L[some.numbers], grid_LG[some.numbers] = some.area(), some.at(_GRID_G)
        suffix = "" if case is None else f"_{case}"
        drawn.append(pl.Series(f"area{suffix}", area_L).fill_nan(None))
        drawn.append(pl.Series(f"grid{suffix}", grid_LG.ravel()).fill_nan(None).reshape((n, GRID + 1)))
    return drawn


def _marked(n: int, line_N: Ints) -> Bools:
    """Return which of ``n`` chains (L) have one of the points."""
    found = np.zeros(n, dtype=np.bool_)
    found[line_N] = True
    return found


def _lines(line_N: Ints, x_N: Floats, s_N: Floats, ended: Ints, end: float | None) -> Lines:
    """Return the lines, those in ``ended`` with a last point at x = 1."""
    if end is None:
        return Lines.of(line_N, x_N, s_N)
    ones = np.ones(len(ended))
    parts = zip((line_N, x_N, s_N), (ended, ones, ones * end), strict=True)
    return Lines.of(*(np.concatenate(pair) for pair in parts))


def _filled(n: int, lines: Lines) -> tuple[Floats, Floats]:
    """Return area (n) and grid (n, GRID + 1), nan for chains without a curve."""
    area_L, grid_LG = np.full(n, np.nan), np.full((n, GRID + 1), np.nan)
    area_L[lines.numbers], grid_LG[lines.numbers] = lines.area(), lines.at(_GRID_G)
    return area_L, grid_LG


def _list(n: int, lines: Lines, values_N: Floats, name: str) -> pl.Series:
    """Return each chain's points as a list; null for chains without a curve."""
    flat = pl.DataFrame({"_line": lines.line, name: values_N})
    lists = flat.group_by("_line", maintain_order=True).agg(name)
    every = pl.DataFrame({"_line": np.arange(n)})
    return every.join(lists, on="_line", how="left", maintain_order="left")[name]


def filled(points: pl.DataFrame, of: Sequence[str] = CHAIN) -> pl.DataFrame:
    """Add ``read`` to each point (``of``, x, s): s, or for a failed point the curve's value there; null without one."""
    placed = points.with_columns(pl.col("x").cast(pl.Float64).fill_nan(None).alias("_x"), pl.col("s").cast(pl.Float64))
    numbers = placed.select(of).unique(maintain_order=True).with_row_index("_line")
    line = placed.select(of).join(numbers, on=of, how="left", maintain_order="left", nulls_equal=True)["_line"]
    line_N, x_N, s_N = line.to_numpy().astype(np.int64), placed["_x"].to_numpy(), placed["s"].to_numpy()
    there, ok = ~np.isnan(x_N), ~np.isnan(s_N)
    read_N, asked = s_N.copy(), there & ~ok
    read_N[asked] = _known(line_N, x_N, s_N, there & ok).read(line_N[asked], x_N[asked])
    return placed.drop("_x").with_columns(pl.Series("read", read_N).fill_nan(None))


def _known(line_N: Ints, x_N: Floats, s_N: Floats, known: Bools) -> Lines:
    return Lines.of(line_N[known], x_N[known], s_N[known])


def reading(bounds: Bounds = SHARE) -> Value:
    """Return a point of ``filled`` as a value: one arm, which is interpolated on its curve if it failed."""
    least, most = (pl.col("s").cast(pl.Float64).fill_null(bound) for bound in bounds)
    asked = pl.col("x").is_not_null()
    return Value(pl.col("read"), least, most, asked, asked & pl.col("s").is_not_null())


def grid_scores(curves: pl.DataFrame, probe: str, metric: Metric) -> pl.DataFrame:
    """Return the curves' values on the grid, one score per chain and position."""
    names = [f"grid{case}" for case in ("", "_least", "_most")]
    kept = [name for name in (*CHAIN, "n_arms", "n_arms_ok") if name in curves.columns]
    chain = np.repeat(np.arange(len(curves)), GRID + 1)
    flat = [curves[name].reshape((-1,)).alias(name) for name in names]
    placed = curves.select(kept)[chain].with_columns(*flat, pl.Series("_at", np.tile(_GRID_G, len(curves))))
    value, least, most = (pl.col(name) for name in names)
    cases = Value(value, least, most, pl.col("n_arms"), pl.col("n_arms_ok"))
    return scores(placed, probe, metric, cases, pl.col("_at"))


def by_place(steps: pl.DataFrame) -> pl.DataFrame:
    """Return, for each fifth of each chain, the step nearest to the middle of the fifth; ``place`` is that middle.

    In: one row per step, with CHAIN, ``step`` (from 1; null: the whole chain was lost) and ``n_steps``. Step i
    covers the chain from (i-1)/n to i/n. Every chain is read at every place, so all places rest on the same chains.
    """
    middles = [(2 * b + 1) / (2 * PLACES) for b in range(PLACES)]
    at = (pl.col("step") - 0.5) / pl.col("n_steps")
    ordered = steps.sort("step", nulls_last=True, maintain_order=True).with_columns(at.alias("_at"))  # the first of two
    row = pl.int_range(pl.len()).alias("_row")
    nearest = [pl.col("_row").get((pl.col("_at") - m).abs().arg_min().fill_null(0)).alias(str(m)) for m in middles]
    chosen = ordered.with_columns(row).group_by(CHAIN, maintain_order=True).agg(nearest)
    rows = [ordered.drop("_at")[chosen[str(m)]].with_columns(pl.lit(m).alias("place")) for m in middles]
    return pl.concat(rows)
