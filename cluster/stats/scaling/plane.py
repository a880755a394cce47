"""The performance-faithfulness plane: each task is a point of a model, and a line is fitted through its points.

In: the rows of all places. Out: rows of ``comparisons``, over tasks, with faithfulness y and performance x, the
accuracy without a chain:

    y = a + b (x - reference)        reference: the mean of x over the models and tasks of the strategy and channel
    plane_slope             b
    plane_at                a, the value at the reference performance, which is ``at``
    plane_slope_without     b without the task that is named: their range is the leave-one-task-out range

Least squares over T tasks, at least three. The standard error is the larger of two: that of the tasks' scatter about
the line, and that of the items within the tasks (delta method, in x and y). Intervals have T - 2 degrees of freedom.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.intervals import TAIL, Floats
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.scaling.figures import Contrast, Figures, Term
from cotfaith.cluster.stats.scaling.rows import Row, row, within, without_value
from cotfaith.cluster.stats.scaling.shared import Shared

SLOPE, AT, WITHOUT = "plane_slope", "plane_at", "plane_slope_without"
FEWEST_TASKS = 3
LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class Point:
    """A model on one task."""

    task: str
    x: Figures
    y: Figures

    @property
    def at(self) -> tuple[float, float]:
        """Performance and faithfulness."""
        return float(self.x.value_M[0]), float(self.y.value_M[0])

    def variance(self, by_x: float, by_y: float) -> float:
        """Return the variance of by_x * x + by_y * y over the task's items."""
        terms = [Term(self.x, np.array([by_x])), Term(self.y, np.array([by_y]))]
        return Contrast(terms).variance


@dataclass(frozen=True)
class Line:
    """The line through T points, read at a reference. T = tasks."""

    points: Sequence[Point]
    reference: float

    @property
    def performances(self) -> Floats:
        """The performances."""
        return np.array([point.at[0] for point in self.points])

    @property
    def values(self) -> Floats:
        """The values."""
        return np.array([point.at[1] for point in self.points])

    @property
    def offsets(self) -> Floats:
        """The performances from their mean."""
        found: Floats = self.performances - self.performances.mean()
        return found

    @property
    def spread(self) -> float:
        """The sum of squared offsets."""
        return float(self.offsets @ self.offsets)

    @property
    def slope(self) -> float:
        """b."""
        return float(self.offsets @ self.values) / self.spread

    @property
    def value(self) -> float:
        """a."""
        return float(self.values.mean()) + self.slope * (self.reference - float(self.performances.mean()))

    def errors(self) -> tuple[float, float]:
        """Return the standard errors of a and b."""
        far, n = self.reference - float(self.performances.mean()), len(self.points)
        rest_T = self.values - self.values.mean() - self.slope * self.offsets
        scatter = float(rest_T @ rest_T) / (n - 2)
        slope_y = self.offsets / self.spread
        slope_x = (rest_T - self.slope * self.offsets) / self.spread
        within_b = self._within(slope_x, slope_y)
        within_a = self._within(far * slope_x - self.slope / n, far * slope_y + 1 / n)
        a = max(scatter * (1 / n + far**2 / self.spread), within_a)
        return sqrt(a), sqrt(max(scatter / self.spread, within_b))

    def _within(self, by_x_T: Floats, by_y_T: Floats) -> float:
        return sum(point.variance(x, y) for point, x, y in zip(self.points, by_x_T, by_y_T, strict=True))


def plane(places: Sequence[Shared], metrics: Sequence[Metric], performance: Metric) -> Iterator[Row]:
    """Yield the rows of every model, strategy and channel; metrics that a model does not have are left out."""
    for strategy, channel in dict.fromkeys((one.place["strategy"], one.place["channel"]) for one in places):
        own = [one for one in places if (one.place["strategy"], one.place["channel"]) == (strategy, channel)]
        place = {"task": None, "strategy": strategy, "channel": channel}
        known = [float(x) for one in own for x in one.figures(one.models, performance).value_M if not np.isnan(x)]
        for model in sorted({model for one in own for model in one.models}):
            for metric in metrics:
                points = _points(own, model, metric, performance)
                if points:
                    yield from _of_model(place, metric, model, Line(points, float(np.mean(known))))


def _points(places: Sequence[Shared], model: str, metric: Metric, performance: Metric) -> list[Point]:
    found = [
        Point(one.place["task"], one.figures([model], performance), one.figures([model], metric))
        for one in places
        if model in one.models
    ]
    return [point for point in found if point.x.known[0] and point.y.known[0]]


def _of_model(place: dict[str, str | None], metric: Metric, model: str, line: Line) -> Iterator[Row]:
    common = {"model_a": model, "n_models": 1}
    if len(line.points) < FEWEST_TASKS:
        why = f"too_few_tasks: {len(line.points)} of {FEWEST_TASKS}"
        yield without_value(SLOPE, place, metric, why, **common)
        return
    if line.spread < LEAST_SPREAD:
        yield without_value(SLOPE, place, metric, "performance_alike", **common)
        return
    common["n_items"] = sum(int(point.y.used_MI.sum()) for point in line.points)
    error_a, error_b = line.errors()
    freedom = len(line.points) - 2
    yield row(SLOPE, place, metric, **_figures(line.slope, error_b, freedom), **common)
    value = _figures(line.value, error_a, freedom) | {"p_value": None}
    yield within(row(AT, place, metric, **value, **common, at=line.reference), metric.bounds)
    for point in line.points:
        rest = Line([one for one in line.points if one is not point], line.reference)
        if rest.spread >= LEAST_SPREAD:
            out = {"value": rest.slope, "interval": "none: see plane_slope"}
            yield row(WITHOUT, place | {"task": point.task}, metric, **out, **common)


def _figures(value: float, error: float, freedom: int) -> dict[str, Any]:
    """Return a t-interval and its p-value; none if neither tasks nor items differ."""
    if not error > 0:
        return {"value": value, "ci_low": None, "interval": "all_alike"}
    reach = float(stats.t.isf(TAIL, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(value) / error, freedom))
    return {"value": value, "ci_low": value - reach, "ci_high": value + reach, "interval": "t", "p_value": p_value}
