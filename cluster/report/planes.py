"""The plane of performance and faithfulness: each task a point of a model, and the line through a model's points.

In: rows of ``comparisons`` with fitted lines, and the estimates of the points. Out: one ``Figure`` for each metric.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.report.drawing.axes import near_axis
from cotfaith.cluster.report.drawing.elements import one_line, svg
from cotfaith.cluster.report.drawing.frames import Frame
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.drawing.marks import crowded
from cotfaith.cluster.report.drawing.scatter import Dot, level, scatter
from cotfaith.cluster.report.figures import Figure, measured, with_bounds
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.metric import title

Row = Mapping[str, Any]
PERFORMANCE = "accuracy_no_cot"
HEIGHT = 270.0
MOST_LINES = 8
"""With more models, only the highest and the lowest at the reference have lines in colour, and names."""
CROWDED = "{n} models. Highest at the reference: {high}; lowest: {low}; the lines of the others are grey."


@dataclass(frozen=True)
class Fitted:
    """The line of one model: its value at ``reference``, and its slope."""

    series: str
    look: Look
    reference: float
    value: float
    slope: float
    points: Sequence[tuple[Estimate, Estimate]]
    """(performance, metric) of each task."""

    def ends(self) -> list[tuple[float, float]]:
        """Return the line's ends, over the tasks' performances."""
        across = [x.value for x, _ in self.points if x.value is not None]
        return [(x, self.value + self.slope * (x - self.reference)) for x in (min(across), max(across))]

    def told(self) -> str:
        """Return the line in words."""
        return f"{one_line(self.series)}: slope {self.slope:+.2f}, {self.value:.2f} at {self.reference:.0%}"


def plane_figures(rows: Iterable[Row], known: Known, looks: Mapping[str, Look]) -> list[Figure]:
    """Return the planes of all metrics to which lines were fitted, which takes three tasks."""
    places = {(r.model, r.strategy, r.channel or "", r.series) for r in known.rows if r.is_plain}
    tasks = sorted({r.task for r in known.rows})
    found: dict[tuple[str, ...], list[Fitted]] = {}
    for (metric, method, *place), (slope, at) in _lines(rows).items():
        for series in sorted(series for *own, series in places if own == place and series in looks):
            points = _points(known, series, tasks, metric, method)
            if points:
                fitted = Fitted(series, looks[series], at["at"], at["value"], slope["value"], points)
                found.setdefault((title(metric, method), *place[1:]), []).append(fitted)
    return [_figure(name, lines) for (name, *_), lines in found.items()]


def _lines(rows: Iterable[Row]) -> dict[tuple[Any, ...], tuple[Row, Row]]:
    """Return (metric, method, model, strategy, channel) -> the rows of its slope and of its value."""
    kinds: dict[str, dict[tuple[Any, ...], Row]] = {"plane_slope": {}, "plane_at": {}}
    for row in rows:
        if row["kind"] in kinds and row["value"] is not None:
            key = (row["metric"], row["method"], row["model_a"], row["strategy"], row["channel"] or "")
            kinds[row["kind"]][key] = row
    slopes, values = kinds.values()
    return {key: (slopes[key], values[key]) for key in slopes if key in values}


def _points(
    known: Known, series: str, tasks: Sequence[str], metric: str, method: str | None
) -> list[tuple[Estimate, Estimate]]:
    pairs = ((known.find(series, task, PERFORMANCE), known.find(series, task, metric, method)) for task in tasks)
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _figure(name: str, lines: Sequence[Fitted]) -> Figure:
    ordered = sorted(lines, key=lambda one: one.value)
    named = lines if len(lines) <= MOST_LINES else [ordered[0], ordered[-1]]
    dots = [dot for one in lines for dot in _dots(one, name, len(lines) == 1, one in named)]
    ends = [end for one in lines for end in one.ends()]
    across = near_axis("accuracy without a chain", [x for x, _ in ends] + [end for d in dots for end in d.x.ends], "%")
    up = near_axis("", [y for _, y in ends] + [end for d in dots for end in d.y.ends])
    frame = Frame(across, up, height=HEIGHT)
    looks = {one.series: one.look for one in named}
    drawn = [crowded([frame.at(*end) for end in one.ends()], looks.get(one.series), one.told()) for one in lines]
    what, told = f"{name} against accuracy without a chain", [one.told() for one in lines]
    marks = [level(frame, lines[0].reference, "reference"), *drawn, *scatter(frame, dots)]
    note = "" if named is lines else CROWDED.format(n=len(lines), high=ordered[-1].series, low=ordered[0].series)
    return Figure(name, svg(frame.width, HEIGHT, what, told, frame.drawn(), *marks), note)


def _dots(one: Fitted, name: str, is_single: bool, is_named: bool) -> list[Dot]:
    """Return the points; of a single model they have the tasks' names, else the rightmost has the model's."""
    last = max(one.points, key=lambda pair: pair[0].value or 0)
    found = []
    for pair in one.points:
        x, y = pair
        label = x.task if is_single else one.series if is_named and pair is last else ""
        about = f"{with_bounds(x, '.0%')} without a chain", f"{name} {with_bounds(y, '.2f')}"
        hover = "\n".join([f"{one_line(x.task)}, {one_line(one.series)}", *about])
        found.append(Dot(one_line(label), one.look, measured(x), measured(y), hover, not is_named))
    return found
