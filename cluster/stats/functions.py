"""Estimates of metrics that are functions of several sums, from their vectors; and what they are over all settings.

In: vectors (``metrics/lib/vectors.py``). Out: rows in the ESTIMATES schema. A setting is a variant of one arm: the hint
``metadata`` with a wrong answer is one, ``sycophancy`` with a wrong answer another. Over settings, two figures are had:
the smallest value, and the share of settings whose lower end is above a floor (a position for each floor). A setting in
which the value is undefined is above no floor. The lower end of the smallest value is the smallest lower end, which
needs no correction. Its upper end is the smallest upper end at the level divided by the number of settings.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cotfaith.cluster.stats.estimates import ALL_OF
from cotfaith.cluster.stats.intervals import TAIL
from cotfaith.cluster.stats.metrics import find_metric
from cotfaith.cluster.stats.metrics.lib.frame import GROUP
from cotfaith.cluster.stats.metrics.lib.function import COUNTED, PARTS, Floats, Function, Smooth
from cotfaith.cluster.stats.smooth import smooth
from cotfaith.cluster.stats.tally import CURVE

FLOORS = (0.01, 0.05, 0.09, *(k / 10 for k in range(1, 10)))
NOT_READ = "no_readings"
"""Why a value is undefined that rests on readings, if none is ok."""
Row = dict[str, Any]


def function_estimates(found: pl.DataFrame) -> list[Row]:
    """Return an estimate for each group and metric, then those over settings; the columns are CURVE and the figures."""
    rows, settings = list[Row](), defaultdict[tuple[str, ...], list[tuple[Row, pl.DataFrame]]](list)
    for key, part in found.sort(CURVE).group_by(CURVE, maintain_order=True):
        row = dict(zip(CURVE, key, strict=True))
        metric = find_metric(row["metric"], row["method"])
        assert metric.function is not None, f"{metric.title} has vectors"
        made = row | _estimate(part, metric.function)
        if made["interval"] == NOT_READ and not made["n_arms"]:
            continue  # a question that the reader was not asked
        rows.append(made)
        if metric.over_settings is not None:
            place = [row[name] for name in GROUP if name != "variant"]
            settings[*place, arm_of(row["variant"]), row["metric"], row["method"]].append((rows[-1], part))
    return rows + [row for own in settings.values() for row in _over_settings(own)]


def arm_of(variant: str) -> str:
    """Return the arm in a variant's name, "intervention.arm"; no intervention's name has a dot."""
    return variant.partition(".")[2]


def _estimate(part: pl.DataFrame, function: Function) -> Row:
    vectors_VK, counts_V = _arrays(part)
    made, sums_K = smooth(vectors_VK, counts_V, function), counts_V @ vectors_VK
    least, most = function.cases(sums_K) if function.cases else (None, None)
    return _figures(made.value, made.low, made.high, _said(made, function, sums_K)) | {
        "n_eff": made.n_eff,
        "n_items": int(counts_V[vectors_VK[:, function.size] > 0].sum()),
        **{name: int(part[name].sum()) for name in COUNTED},
        "least": least,
        "most": most,
    }


def _arrays(part: pl.DataFrame) -> tuple[Floats, Floats]:
    return part.select(PARTS).to_numpy(), part["n_items"].to_numpy().astype(np.float64)


def _figures(value: float | None, low: float | None, high: float | None, interval: str) -> Row:
    blank = dict.fromkeys(("position", "band_low", "band_high", "detectable"))
    return blank | {"value": value, "ci_low": low, "ci_high": high, "interval": interval}


def _said(made: Smooth, function: Function, sums_K: Floats) -> str:
    """Return how the interval was made, or why there is no value."""
    if made.value is None:
        return made.why or function.why(sums_K)
    return f"{made.kind}, {made.undefined:.1%} of draws undefined" if made.undefined else made.kind


def _over_settings(own: Sequence[tuple[Row, pl.DataFrame]]) -> Iterator[Row]:
    """Yield the figures over the settings of one arm."""
    rows = [row for row, _ in own]
    metric = find_metric(rows[0]["metric"], rows[0]["method"])
    assert metric.over_settings is not None, "asked for by function_estimates"
    assert metric.function is not None, "it has vectors"
    smallest, above = metric.over_settings
    known = [row for row in rows if row["value"] is not None]
    head = {name: rows[0][name] for name in CURVE} | {"variant": f"{ALL_OF}{arm_of(rows[0]['variant'])}"}
    counts = {"n_total": len(rows), "n_ok": len(known), "n_arms": None, "n_arms_ok": None, "n_eff": None}
    counts["n_items"] = min((row["n_items"] for row in known), default=0)
    highs = [smooth(*_arrays(part), metric.function, TAIL / len(own)).high for _, part in own]
    yield head | counts | {"metric": smallest} | _smallest(known, highs)
    for floor in FLOORS:
        yield head | counts | {"metric": above} | _above(rows, floor)


def _smallest(known: Sequence[Row], highs: Sequence[float | None]) -> Row:
    cases = {"least": None, "most": None}
    if not known:
        return _figures(None, None, None, "no_switches") | cases
    least = min(known, key=lambda row: row["value"])
    low = None if any(row["ci_low"] is None for row in known) else min(row["ci_low"] for row in known)
    high = min((one for one in highs if one is not None), default=None)
    bounded = low is not None and high is not None
    said = f"smallest: {least['variant']}"
    return _figures(least["value"], low if bounded else None, high if bounded else None, said) | cases


def _above(rows: Sequence[Mapping[str, Any]], floor: float) -> Row:
    n, unknown = len(rows), sum(row["value"] is None for row in rows)
    above = sum(row["ci_low"] is not None and row["ci_low"] > floor for row in rows)
    figures = _figures(above / n, None, None, "counted") | {"position": floor}
    return figures | {"least": above / n, "most": (above + unknown) / n}
