"""Lines of sums as figures: what estimates that rest on several sums are made of.

In: lines of sums over all items (``Tally.lines``), with the ends of their intervals. Out: the same by name and by
position, and rows in the ESTIMATES schema. Knows nothing about single metrics.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.metric import GROUP, Metric
from cotfaith.schemas.variants import PLAIN

Row = dict[str, Any]
Line = Mapping[str, Any]
_COUNTS = ("n_total", "n_ok", "n_items")
_FIGURES = (
    *("probe", "position", "value", "ci_low", "ci_high", "interval", "band_low", "band_high"),
    *("detectable", "least", "most", "n_arms", "n_arms_ok", "n_eff"),
)


@dataclass(frozen=True)
class Group:
    """The lines of one model, task, strategy, variant and channel."""

    place: Row
    """``GROUP`` of it."""
    lines: Mapping[tuple[str, str | None], list[Line]]
    """(metric, method) -> its lines, by position."""

    def curve(self, metric: Metric) -> list[Line]:
        """Return the lines of a metric, by position; those without a value are left out."""
        return [line for line in self.lines.get((metric.name, metric.method), []) if line["den"] > 0]

    def line(self, metric: Metric, position: float | None = None) -> Line | None:
        """Return one line; None if it has no value."""
        return next((line for line in self.curve(metric) if line["position"] == position), None)

    def lacking(self, metric: Metric, why: str) -> Row:
        """Return the figures of an estimate on the rows of ``metric`` that cannot be made of them."""
        return counts(self.lines.get((metric.name, metric.method), [])) | {"value": None, "interval": why}

    def has(self, metric: Metric) -> bool:
        """Return whether the metric has lines, with or without a value."""
        return (metric.name, metric.method) in self.lines

    def estimate(self, metric: Metric, method: str | None = None, **figures: Any) -> Row:
        """Return an estimate of the group; of what is not among the ``figures``, counts are 0, the rest is null."""
        name = {"metric": metric.name, "method": method}
        return self.place | dict.fromkeys(_FIGURES) | dict.fromkeys(_COUNTS, 0) | name | figures


def groups(lines: pl.DataFrame, *, plain: bool = True) -> Iterator[Group]:
    """Yield the groups of the lines, in order; ``plain``: only those of plain items."""
    own = lines.filter(pl.col("variant") == PLAIN) if plain else lines
    for key, part in own.sort(*GROUP, "metric", "method", "position").group_by(GROUP, maintain_order=True):
        by_name: dict[tuple[str, str | None], list[Line]] = {}
        for line in part.iter_rows(named=True):
            by_name.setdefault((line["metric"], line["method"]), []).append(line)
        yield Group(dict(zip(GROUP, key, strict=True)), by_name)


def counts(lines: list[Line]) -> Row:
    """Return the counts of some lines together."""
    return {name: sum(line[name] for line in lines) for name in _COUNTS}


def mean(line: Line) -> float:
    """Return the value of a line that has one."""
    return float(line["num"] / line["den"])


def ends(line: Line | None) -> Bounds | None:
    """Return the ends of its interval; None if there is none."""
    if line is None or line["ci_low"] is None or line["ci_high"] is None:
        return None
    return line["ci_low"], line["ci_high"]
