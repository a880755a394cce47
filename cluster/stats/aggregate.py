"""Estimates: every metric with its interval and its counts, per model, task, strategy, variant and channel.

Nothing is pooled over them. In: ITEMS, CHAINS and OBSERVATIONS rows, some items at a time: metrics/ turns them into
scores, and tally.py into sums, which add up over the parts. Only sums are kept. Out: a table in the ESTIMATES schema. A
value is null if no row was ok, never 0. ``least`` and ``most`` are the value if all failed rows had had the smallest or
the largest possible value. Nothing is drawn at random: an estimate does not depend on what else was measured, nor on
how the items were parted.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.curve_bands import simultaneous_tail
from cotfaith.cluster.stats.functions import function_estimates
from cotfaith.cluster.stats.intervals import TAIL, Interval, Sums, interval
from cotfaith.cluster.stats.metrics import (
    derived_estimates,
    find_metric,
    settled,
    together_estimates,
    unknown_probes,
    with_together,
)
from cotfaith.cluster.stats.metrics.lib.groups import NOT_TOLD
from cotfaith.cluster.stats.metrics.lib.metric import Metric, Rows
from cotfaith.cluster.stats.near_ties import Tallies, beside, tallies_of
from cotfaith.cluster.stats.tally import CURVE, Crosses, Key, Tally
from cotfaith.cluster.stats.weights import ASSUMED
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of

Row = dict[str, Any]
_PLACE = ("model", "task", "strategy")
_ORDER = ("item_id", "chain_index", "position", "arm")


def aggregate(
    items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame, run_id: str, seed: int
) -> pa.Table:
    """Return all estimates of a run, with and without near ties; tables without rows give none."""
    rows = Rows(*(in_order(table) for table in (items, chains, observations)))
    return estimates_of([tallies_of(rows)], unknown_probes(observations), run_id)


def in_order(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in the order in which a run's folder gives them: sums of floats depend on it."""
    return table.sort([name for name in _ORDER if name in table.columns], maintain_order=True)


def estimates_of(parts: Iterable[Tallies], unknown: Sequence[str], run_id: str) -> pa.Table:
    """Return the estimates of a run from the sums of its parts.

    ``unknown``: the probes that have rows but no metrics.
    """
    if unknown:
        warnings.warn(
            f"No metrics are registered for {', '.join(unknown)}, so the estimates only count the statuses of their "
            "rows. Name the module that registers them with --plugin.",
            stacklevel=2,
        )
    total, clear = added(parts)
    rows = list(_all_estimates(total, run_id))
    if clear is not None:
        rows = beside(rows, list(_all_estimates(clear, run_id, banded=False)))
    return table_of("estimates", _assumed(rows, total))


def added(parts: Iterable[Tallies]) -> Tallies:
    """Return the sums of all parts together."""
    total, clear, has_near_ties = Tally(), Tally(), False
    for own, without in parts:
        total, clear = total + own, clear + (without or own)
        has_near_ties = has_near_ties or without is not None
    return total, clear if has_near_ties else None


def _assumed(rows: list[Row], total: Tally) -> list[Row]:
    """Return the estimates; the intervals of those that rest on counts say what is assumed."""
    counts = total.sums.filter(pl.col("n_counts") > 0).select(_PLACE).unique()
    places = set(counts.iter_rows())
    said = [tuple(row[name] for name in _PLACE) in places and row["ci_low"] is not None for row in rows]
    return [
        row | {"interval": f"{row['interval']}, {ASSUMED}"} if own else row for row, own in zip(rows, said, strict=True)
    ]


def _all_estimates(found: Tally, run_id: str, *, banded: bool = True) -> Iterator[Row]:
    """Yield one estimate for each line of sums, curve by curve, then those of several sums."""
    found = with_together(found)
    lines = settled(found).sort(*CURVE, "position")
    rows = list(_of_lines(lines, found.crosses if banded else {}, run_id))
    yield from rows
    ends = [pl.Series(name, [row[name] for row in rows], pl.Float64) for name in ("ci_low", "ci_high")]
    several = derived_estimates(lines.with_columns(ends)), function_estimates(found.vectors)
    for row in chain(*several, together_estimates(found.kept)):
        yield _head(row, run_id)


def _of_lines(lines: pl.DataFrame, crosses: Mapping[Key, Crosses], run_id: str) -> Iterator[Row]:
    """Yield one estimate for each line of sums, in their order, which is by curve."""
    for name, curve in lines.group_by(CURVE, maintain_order=True):
        head = _head(dict(zip(CURVE, name, strict=True)), run_id)
        metric = find_metric(head["metric"], head["method"])
        for estimate in _estimates(curve.to_dicts(), metric, crosses.get(name)):
            yield {**head, **estimate}


def _head(row: Row, run_id: str) -> Row:
    """Return the row with its version, run and reader; a channel that is not told apart is null."""
    channel = None if row["channel"] == NOT_TOLD else row["channel"]
    reader = find_metric(row["metric"], row["method"]).reader(row["method"])
    return {"schema_version": SCHEMA_VERSION, "run_id": run_id, **row, "channel": channel, "reader": reader}


def _estimates(lines: list[Row], metric: Metric, crosses: Crosses | None) -> list[Row]:
    """Turn one metric's sums into one estimate per position, with a band over all positions if items share them."""
    sums = [Sums.of_line(line) for line in lines]
    bands: Sequence[Interval | None] = [None] * len(lines)
    if (tail := _band_tail(lines, metric, crosses)) is not None:
        bands = [_interval(one, metric, tail) for one in sums]
    return [_estimate(line, one, metric, band) for line, one, band in zip(lines, sums, bands, strict=True)]


def _band_tail(lines: list[Row], metric: Metric, crosses: Crosses | None) -> float | None:
    """Return the level of the pointwise intervals that are the band; None if every item has one position: strata."""
    positions = tuple(line["position"] for line in lines)
    if crosses is None or metric.ratio or None in positions:
        return None
    own = crosses.at(positions)
    if not own.is_shared:
        return None
    num_P, den_P = (np.array([line[name] for line in lines]) for name in ("num", "den"))
    return simultaneous_tail(num_P, den_P, own)


def _interval(sums: Sums, metric: Metric, tail: float = TAIL) -> Interval:
    return interval(sums, metric.bounds, of_means=metric.ratio, tail=tail)


def _estimate(line: Row, sums: Sums, metric: Metric, band: Interval | None) -> Row:
    own = _interval(sums, metric)
    lacking = metric.lacking if not (sums.den or line["n_arms"]) else None
    return {
        "position": line["position"],
        "value": float(sums.num / sums.den) if sums.den else None,
        "ci_low": own.low,
        "ci_high": own.high,
        "interval": lacking or own.kind,
        "band_low": None if band is None else band.low,
        "band_high": None if band is None else band.high,
        "detectable": own.detectable,
        "n_eff": float(sums.n_eff),
        **{name: line[name] for name in ("n_total", "n_ok", "n_items")},
        **{name: None if line["no_cases"] else line[name] / line["n_total"] for name in ("least", "most")},
        **{name: None if line["no_arms"] else line[name] for name in ("n_arms", "n_arms_ok")},
    }
