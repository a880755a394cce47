"""Who can be used: how faithful against how capable, as far as can be counted on, and the frontier of both.

In: what ``select`` found of a run's models. Out: one ``Figure``, filled where the chains are trusted on every task;
None if fewer than two models have both figures. Both are lower ends of 95% intervals, so a point has no interval of its
own.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.axes import near_axis
from cotfaith.cluster.report.drawing.elements import one_line, svg
from cotfaith.cluster.report.drawing.frames import LARGE, Frame
from cotfaith.cluster.report.drawing.looks import Look, looks_of
from cotfaith.cluster.report.drawing.marks import line
from cotfaith.cluster.report.drawing.scatter import HEIGHT, Dot, Measured, better, scatter
from cotfaith.cluster.report.figures import Figure
from cotfaith.cluster.verdicts.candidate import Candidate
from cotfaith.cluster.verdicts.select import Selection

TITLE = "Capable and faithful"
NOTE = (
    "Lower ends of 95% intervals. Filled: trusted on every task; open: not. The dotted line joins the frontier: those "
    "whom nobody else beats in both. It ranks; the verdicts decide."
)
GREY = Look(6, "circle")


def standing_figure(found: Selection, looks: Mapping[str, Look]) -> Figure | None:
    """Return the figure; ``looks``: of the series, by the candidates' names."""
    known = [one for one in found.candidates if one.capable is not None and one.faithful is not None]
    if len(known) < 2:
        return None
    own = looks_of([one.name for one in known]) | dict(looks)
    dots = [_dot(one, own[one.name]) for one in known]
    across = near_axis("right at least this often", [one.x.value for one in dots], "%")
    up = near_axis("faithful at least this far   ↑ more faithful", [one.y.value for one in dots])
    frame = Frame(across, up, LARGE, HEIGHT)
    marks = [_frontier(frame, found.frontier), better(frame, "more capable →"), *scatter(frame, dots)]
    told = [one.hover for one in dots]
    return Figure(TITLE, svg(LARGE, HEIGHT, TITLE, told, frame.drawn(), *marks), _note(found))


def _dot(one: Candidate, look: Look) -> Dot:
    assert one.capable is not None, "candidates without it are left out"
    assert one.faithful is not None, "candidates without it are left out"
    trusted = "trusted on every task" if one.passes else "not trusted on every task"
    hover = f"{one_line(one.name)}\ncapable {one.capable:.2f}, faithful {one.faithful:.2f}\n{trusted}"
    return Dot(one_line(one.name), look, Measured(one.capable), Measured(one.faithful), hover, is_open=not one.passes)


def _frontier(frame: Frame, found: Sequence[Candidate]) -> Element:
    """Return the stepped line through the frontier, from the least capable on it to the most."""
    places = sorted({(one.capable or 0.0, one.faithful or 0.0) for one in found})
    steps = [(frame.x.low, places[0][1]), places[0]]
    for x, y in places[1:]:
        steps += [(steps[-1][0], y), (x, y)]
    return line([frame.at(*one) for one in [*steps, (steps[-1][0], frame.y.low)]], GREY, "level")


def _note(found: Selection) -> str:
    missing = [one.name for one in found.candidates if one.capable is None or one.faithful is None]
    return f"{NOTE} Not drawn, because a figure is not measured: {', '.join(missing)}." if missing else NOTE
