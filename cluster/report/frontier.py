"""The frontier: how much the answer depends on the chain, against how often it is right. A point for each series.

In: estimates, chance accuracy, and the drawings in a probe's words. Out: one ``Figure`` for each task.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.axes import number_axis
from cotfaith.cluster.report.drawing.elements import element, one_line, svg, words
from cotfaith.cluster.report.drawing.frames import LARGE, Frame, rule
from cotfaith.cluster.report.drawing.labels import labels
from cotfaith.cluster.report.drawing.looks import Look, Place
from cotfaith.cluster.report.drawing.marks import point, whisker
from cotfaith.cluster.report.figures import Figure, find, with_bounds
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Frontier
from cotfaith.cluster.stats.metrics.lib.words import Dependence

HEIGHT = 380.0
BETTER, MORE = "right more often →", "↑ rests more on the chain"
Point = tuple[str, Estimate, Estimate]
"""(series, its x, its y); both have a value."""


def frontier_figure(
    rows: Sequence[Estimate],
    looks: Mapping[str, Look],
    chance: Mapping[str, float],
    task: str,
    asked: Frontier,
    known: Sequence[Dependence],
) -> Figure | None:
    """Return one task's scatter plot: a metric against dependence on the chain, a point for each model and strategy.

    Dependence is the first of ``known`` that was measured. None if there are fewer than two points.
    """
    here = [r for r in rows if r.task == task]
    measured = {(r.metric, r.method) for r in here if r.value is not None}
    one = next((one for one in known if (one.metric, one.method) in measured), None)
    if one is None:
        return None
    pairs = [(m, find(here, m, task, asked.metric), find(here, m, task, one.metric, one.method)) for m in looks]
    points = [(m, x, y) for m, x, y in pairs if x is not None and y is not None]
    if len(points) < 2:
        return None
    return _figure(task, points, looks, chance.get(task), (asked, one))


def _figure(
    task: str,
    points: Sequence[Point],
    looks: Mapping[str, Look],
    chance: float | None,
    asked: tuple[Frontier, Dependence],
) -> Figure:
    frame = _frame(points, chance, asked)
    hovers = {series: _hover(series, x, y, asked) for series, x, y in points}
    ends = [one for series, x, y in points for one in whiskers(frame, x, y, looks[series])]
    dots = [point(_at(frame, x, y), looks[series], hovers[series], 6) for series, x, y in points]
    named = labels([(_at(frame, x, y), one_line(series)) for series, x, y in points], inside(frame))
    level = [chance_line(frame, chance)] if chance is not None else []
    name = f"{asked[1].axis} against {asked[0].x}, {task}"
    told = "; ".join(text.replace("\n", ", ") for text in hovers.values())
    marks = [*level, *sides(frame, BETTER), *ends, *dots, *named]
    return Figure(task, svg(LARGE, HEIGHT, name, told, frame.drawn(), *marks))


def _frame(points: Sequence[Point], chance: float | None, asked: tuple[Frontier, Dependence]) -> Frame:
    across = [end for _, x, _ in points for end in (x.value, x.ci_low, x.ci_high)]
    up = [end for _, _, y in points for end in (y.value, y.ci_low, y.ci_high)]
    return Frame(
        number_axis(asked[0].x, [0.0, 1.0, chance, *across], "%", pad=0.03),
        number_axis(f"{asked[1].axis}   {MORE}", [0.0, 1.0, *up], pad=0.03),
        LARGE,
        HEIGHT,
    )


def inside(frame: Frame) -> tuple[float, float, float, float]:
    """Return the box in which names can stand."""
    return frame.left + 2, frame.top, frame.end, frame.bottom - 2


def sides(frame: Frame, better: str) -> list[Element]:
    """Return the words at the x axis that say which side is better."""
    return [words((frame.end, frame.height - 6), better, class_="last aside")]


def chance_line(frame: Frame, level: float) -> Element:
    """Return the dotted line at chance accuracy."""
    x = frame.at(level, frame.y.low)[0]
    drawn = rule((x, frame.top), (x, frame.bottom), "chance")
    said = words((x + 4, frame.top + 10), f"chance {level:.0%}", class_="aside")
    return element("g", element("title", f"chance: {level:.0%}"), drawn, said)


def whiskers(frame: Frame, x: Estimate, y: Estimate, look: Look) -> list[Element]:
    """Return the intervals of both values."""
    found = []
    if x.ci_low is not None and x.ci_high is not None:
        found.append(whisker(frame.at(x.ci_low, y.value or 0), frame.at(x.ci_high, y.value or 0), look))
    if y.ci_low is not None and y.ci_high is not None:
        found.append(whisker(frame.at(x.value or 0, y.ci_low), frame.at(x.value or 0, y.ci_high), look))
    return found


def _at(frame: Frame, x: Estimate, y: Estimate) -> Place:
    return frame.at(x.value or 0, y.value or 0)


def _hover(series: str, x: Estimate, y: Estimate, asked: tuple[Frontier, Dependence]) -> str:
    axes = (f"{asked[0].label} {with_bounds(x, '.0%')}", f"{asked[1].label} {with_bounds(y, '.2f')}")
    return "\n".join([one_line(series), *axes, f"{min(x.n_items, y.n_items)} items"])
