"""Rows of the table ``comparisons`` that are made here. In: contrasts. Out: rows without run_id and schema_version."""

from collections.abc import Mapping
from typing import Any

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.scaling.figures import Contrast
from cotfaith.cluster.stats.scaling.matched import WeightedMatched

Row = dict[str, Any]


def row(kind: str, place: Mapping[str, str | None], metric: Metric, **others: Any) -> Row:
    """Return a row; what is not given is null, and no items or models are behind it."""
    named = {"metric": metric.name, "method": metric.method, "model_a": None, "model_b": None, "p_value": None}
    return {"kind": kind, **place, **named, "n_items": 0, "n_models": 0, **others}


def without_value(kind: str, place: Mapping[str, str | None], metric: Metric, why: str, **others: Any) -> Row:
    """Return a row whose value is null, with the reason."""
    return row(kind, place, metric, interval=why, **others)


def with_value(
    kind: str, place: Mapping[str, str | None], metric: Metric, found: Contrast | WeightedMatched, **others: Any
) -> Row:
    """Return a row of a weighted sum: its value and interval."""
    ends = found.at()
    figures = {"value": found.value, "ci_low": ends.low, "ci_high": ends.high, "interval": found.how}
    return row(kind, place, metric, **figures, n_items=found.n_items, **others)


def tested(
    kind: str, place: Mapping[str, str | None], metric: Metric, found: Contrast | WeightedMatched, **others: Any
) -> Row:
    """Return a row of a difference or slope: also the p-value of "it is 0"."""
    return with_value(kind, place, metric, found, **others) | {"p_value": found.p_value}


def within(found: Row, bounds: Bounds | None) -> Row:
    """Return a row whose interval is cut to the bounds of its value."""
    if bounds is None or found["ci_low"] is None:
        return found
    low, high = (min(max(found[name], bounds[0]), bounds[1]) for name in ("ci_low", "ci_high"))
    return found | {"ci_low": low, "ci_high": high}
