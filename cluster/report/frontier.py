"""The frontier: how much the answer depends on the chain, against how often it is right. A point for each series.

In: estimates, chance accuracy, and the drawings in a probe's words. Out: one ``Figure`` for each task.
"""

from collections.abc import Mapping, Sequence

from cotfaith.cluster.report.drawing.axes import near_axis
from cotfaith.cluster.report.drawing.elements import one_line, svg
from cotfaith.cluster.report.drawing.frames import LARGE, Frame
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.drawing.scatter import HEIGHT, Dot, better, level, scatter
from cotfaith.cluster.report.figures import Figure, measured, with_bounds
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Frontier
from cotfaith.cluster.stats.metrics.lib.words import Dependence

BETTER, MORE = "right more often →", "↑ rests more on the chain"
Point = tuple[str, Estimate, Estimate]
"""(series, its x, its y); both have a value."""


def frontier_figure(
    known: Known,
    looks: Mapping[str, Look],
    chance: Mapping[str, float],
    task: str,
    asked: Frontier,
    dependences: Sequence[Dependence],
) -> Figure | None:
    """Return one task's scatter plot: a metric against dependence on the chain, a point for each model and strategy.

    Dependence is the first of ``dependences`` that was measured. None if there are fewer than two points.
    """
    measured_here = (one for one in dependences if any(r.method == one.method for r in known.named(task, one.metric)))
    one = next(measured_here, None)
    if one is None:
        return None
    pairs = [(m, known.find(m, task, asked.metric), known.find(m, task, one.metric, one.method)) for m in looks]
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
    dots = [Dot(one_line(m), looks[m], measured(x), measured(y), _hover(m, x, y, asked)) for m, x, y in points]
    across = near_axis(asked[0].x, [chance, *(end for one in dots for end in one.x.ends)], "%")
    up = near_axis(f"{asked[1].axis}   {MORE}", [end for one in dots for end in one.y.ends])
    frame = Frame(across, up, LARGE, HEIGHT)
    levels = [level(frame, chance, f"chance {chance:.0%}")] if chance is not None else []
    told = [one.hover for one in dots]
    marks = [*levels, better(frame, BETTER), *scatter(frame, dots)]
    name = f"{asked[1].axis} against {asked[0].x}, {task}"
    return Figure(task, svg(LARGE, HEIGHT, name, told, frame.drawn(), *marks))


def _hover(series: str, x: Estimate, y: Estimate, asked: tuple[Frontier, Dependence]) -> str:
    axes = (f"{asked[0].label} {with_bounds(x, '.0%')}", f"{asked[1].label} {with_bounds(y, '.2f')}")
    return "\n".join([one_line(series), *axes, f"{min(x.n_items, y.n_items)} items"])
