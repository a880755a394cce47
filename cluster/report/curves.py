"""Curves: a metric by position, a line for each model and method, with what it is compared with.

In: estimates, and a curve in a probe's words. Out: one ``Figure`` for each task. Up to ``MOST_BANDS`` lines have bands;
more than ``MOST_LINES`` are grey but the highest and the lowest on average; each has its values as hover text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.axes import number_axis, share_axis
from cotfaith.cluster.report.drawing.elements import one_line, svg
from cotfaith.cluster.report.drawing.frames import Frame
from cotfaith.cluster.report.drawing.looks import Look, Place
from cotfaith.cluster.report.drawing.marks import band, crowded, line, point, whisker
from cotfaith.cluster.report.figures import Figure, bounds_text, counted
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Curve

KINDS = ("solid", "dotted")
MOST_BANDS = 4
"""The most lines in one plot that are drawn with bands; with more lines, intervals are only in the hover text."""
MOST_LINES = 8
"""The most lines in one plot that have a colour and points each."""
ALIKE = 0.005
"""Lines whose means differ by less are as high as one another: less than can be seen."""
CROWDED = "{n} lines. Highest on average: {high}; lowest: {low}; the others are grey. Point at a line for its values."


@dataclass(frozen=True)
class Line:
    """One line, and the level or the curve that it is compared with."""

    name: str
    look: Look
    kind: str
    points: Sequence[Estimate]
    baseline: Sequence[tuple[float, float]]

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return sum(_value(row) for row in self.points) / len(self.points)


def curve_figure(known: Known, looks: Mapping[str, Look], task: str, curve: Curve, title: str) -> Figure | None:
    """Return one task's figure of ``curve``; None without points. Points with few items are left out."""
    lines = _lines(known, looks, task, curve)
    if not lines:
        return None
    banded = len(looks) * len(curve.methods) <= MOST_BANDS
    frame = _frame(lines, curve, banded)
    form = ".0%" if curve.share else ".2f"
    many = len(lines) > MOST_LINES
    bands = [one for own in lines for one in _bands(frame, own)] if banded and not many else []
    marks = _crowd(frame, lines, form) if many else [mark for own in lines for mark in _drawn(frame, own, form)]
    name = f"{title}: {curve.y} by {curve.x}, {task}"
    drawn = svg(frame.width, frame.height, name, _told(lines, form), frame.drawn(), *bands, *marks)
    return Figure(title, drawn, _who(lines) if many else "")


def _lines(known: Known, looks: Mapping[str, Look], task: str, curve: Curve) -> list[Line]:
    values = _by_line(known.named(task, curve.metric))
    levels = _by_line(known.named(task, curve.baseline)) if curve.baseline else {}
    found = []
    for series, look in looks.items():
        for method, kind in zip(curve.methods, KINDS, strict=False):
            placed = [r for r in values.get((series, method), []) if r.position is not None]
            points = sorted(_common(placed), key=_position)
            name = series if len(curve.methods) == 1 else f"{series}, {method}"
            if points:
                level = _baseline(levels.get((series, curve.baseline_method), []), points)
                found.append(Line(name, look, kind, points, level))
    return found


def _by_line(rows: Sequence[Estimate]) -> dict[tuple[str, str | None], list[Estimate]]:
    found: dict[tuple[str, str | None], list[Estimate]] = {}
    for row in rows:
        found.setdefault((row.series, row.method), []).append(row)
    return found


def _common(points: Sequence[Estimate]) -> list[Estimate]:
    """Leave out points with less than a fifth of the items of the largest point: they are mostly noise."""
    most = max((r.n_items for r in points), default=0)
    return [r for r in points if 5 * r.n_items >= most]


def _baseline(found: Sequence[Estimate], points: Sequence[Estimate]) -> list[tuple[float, float]]:
    """Return the metric with which the curve is compared: at its own positions, or as a level."""
    positions = {r.position for r in points}
    placed = sorted((r for r in found if r.position in positions), key=_position)
    levels = [(at, _value(r)) for r in found if r.position is None for at in (0.0, _position(points[-1]))]
    return [(_position(r), _value(r)) for r in placed] or levels[:2]


def _frame(lines: Sequence[Line], curve: Curve, banded: bool) -> Frame:
    points = [row for one in lines for row in one.points]
    ends = [end for r in points for end in (r.ci_low, r.ci_high, r.band_low, r.band_high)] if banded else []
    values = [*(r.value for r in points), *ends, *(y for one in lines for _, y in one.baseline)]
    across = [*(r.position for r in points), *(x for one in lines for x, _ in one.baseline)]
    y = share_axis(curve.y, values) if curve.share else number_axis(curve.y, values)
    return Frame(number_axis(curve.x, across), y)


def _drawn(frame: Frame, one: Line, form: str) -> list[Element]:
    base = [line([frame.at(*at) for at in one.baseline], one.look, "level")] if one.baseline else []
    dots = [point(_at(frame, r), one.look, f"{_hover(r, form)}\n{one_line(one.name)}", 3.2) for r in one.points]
    return [*base, line([_at(frame, r) for r in one.points], one.look, one.kind), *dots]


def _bands(frame: Frame, one: Line) -> list[Element]:
    """Return the band that holds at all positions at once, if there is one, and the pointwise one on it."""
    every = {
        "whole": [(_position(r), r.band_low, r.band_high) for r in one.points],
        "pointwise": [(_position(r), r.ci_low, r.ci_high) for r in one.points],
    }
    found = []
    for kind, ends in every.items():
        known = [(x, low, high) for x, low, high in ends if low is not None and high is not None]
        lower, upper = ([frame.at(end[0], end[side]) for end in known] for side in (1, 2))
        if len(known) == 1 and kind == "pointwise":
            found.append(whisker(lower[0], upper[0], one.look))
        elif len(known) > 1:
            found.append(band(lower, upper, one.look, kind))
    return found


def _crowd(frame: Frame, lines: Sequence[Line], form: str) -> list[Element]:
    """Return all lines in grey, and on them the lowest and the highest."""
    ordered = sorted(lines, key=lambda one: one.mean)
    ends = [ordered[0], ordered[-1]]
    bases = [line([frame.at(*at) for at in one.baseline], one.look, "level") for one in ends if one.baseline]
    grey = [crowded([_at(frame, r) for r in one.points], None, _values(one, form)) for one in ordered[1:-1]]
    return [*grey, *bases, *(crowded([_at(frame, r) for r in o.points], o.look, _values(o, form)) for o in ends)]


def _who(lines: Sequence[Line]) -> str:
    return CROWDED.format(n=len(lines), high=_end(lines, 1), low=_end(lines, -1))


def _end(lines: Sequence[Line], sign: int) -> str:
    """Return the name of the highest line (sign 1) or the lowest (-1), and how many are like it."""
    ordered = sorted(lines, key=lambda one: one.mean)
    end = ordered[-1] if sign > 0 else ordered[0]
    alike = sum(abs(one.mean - end.mean) < ALIKE for one in lines) - 1
    return f"{end.name} and {alike} more like it" if alike else end.name


def _values(one: Line, form: str) -> str:
    return "\n".join([one_line(one.name), *(_hover(row, form) for row in one.points)])


def _hover(row: Estimate, form: str) -> str:
    return f"{row.value:{form}} at {row.position:g}: {bounds_text(row, form)}{counted(row)}"


def _told(lines: Sequence[Line], form: str) -> list[str]:
    """Return the first and the last value of each line."""
    ends = ((one.name, one.points[0], one.points[-1]) for one in lines)
    return [f"{name}: {a.value:{form}} at {a.position:g} to {b.value:{form}} at {b.position:g}" for name, a, b in ends]


def _at(frame: Frame, row: Estimate) -> Place:
    return frame.at(_position(row), _value(row))


def _position(row: Estimate) -> float:
    assert row.position is not None, "a point of a curve has a position"
    return row.position


def _value(row: Estimate) -> float:
    assert row.value is not None, "a point of a curve has a value"
    return row.value
