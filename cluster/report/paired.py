"""The figure of two metrics next to each other, such as accuracy without and with a chain.

In: estimates, chance accuracy, and the drawings in a probe's words. Out: ``Figure`` objects with a dumbbell for each
row: one figure of all tasks if there is one model, else one for each task.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.axes import share_axis
from cotfaith.cluster.report.drawing.elements import element, one_line
from cotfaith.cluster.report.drawing.frames import rule
from cotfaith.cluster.report.drawing.ladders import Ladder
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.drawing.marks import point, whisker
from cotfaith.cluster.report.figures import Figure, counted, with_bounds
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Paired

Name = tuple[str, str]
"""(task, series)."""
OFF = 5.0


def by_task(names: Sequence[Name], looks: Mapping[str, Look]) -> dict[str, list[tuple[str, Name]]]:
    """Return the title of each figure -> the label of each of its rows, and whose row it is."""
    if len(looks) == 1:
        return {"": [(task, (task, series)) for task, series in names]} if names else {}
    found: dict[str, list[tuple[str, Name]]] = {}
    for task, series in names:
        found.setdefault(task, []).append((series, (task, series)))
    return found


def paired_figures(
    known: Known, looks: Mapping[str, Look], chance: Mapping[str, float], paired: Paired
) -> list[Figure]:
    """Return a dumbbell for each task and model: ``before`` (open) and ``after`` (filled)."""
    names = sorted({(r.task, r.series) for r in known.rows if r.metric == paired.after})
    return [_figure(title, own, known, looks, chance, paired) for title, own in by_task(names, looks).items()]


def _figure(
    title: str,
    own: Sequence[tuple[str, Name]],
    known: Known,
    looks: Mapping[str, Look],
    chance: Mapping[str, float],
    paired: Paired,
) -> Figure:
    sides = [side_by_side(known, series, task, paired) for _, (task, series) in own]
    levels = [chance.get(task) for _, (task, _) in own]
    ends = [end for pair in sides for r in pair if r for end in (r.value, r.ci_low, r.ci_high)]
    ladder = Ladder(share_axis(paired.x, [*ends, *levels]), [label for label, _ in own])
    marks = [_chance(ladder, level, at) for at, level in enumerate(levels) if level is not None]
    for at, ((_, (_, series)), pair) in enumerate(zip(own, sides, strict=True)):
        marks += _dumbbell(ladder, at, pair, looks[series], paired.labels)
    keys = [("ring", paired.labels[0]), ("dot", paired.labels[1]), *([("level", "chance")] if any(levels) else [])]
    name = f"{paired.x}, {' and '.join(paired.labels)}{f', {title}' if title else ''}"
    told = [_told(label, pair, paired.labels) for (label, _), pair in zip(own, sides, strict=True)]
    return Figure(title, ladder.svg(name, told, keys, marks))


def side_by_side(known: Known, series: str, task: str, paired: Paired) -> tuple[Estimate | None, Estimate | None]:
    """Return before and after on the same rows; only one of them if they cannot be compared."""
    before, after = (known.find(series, task, metric, paired.method) for metric in (paired.before, paired.after))
    if before is not None and after is not None:
        return before, after
    after = known.find(series, task, paired.after)
    return (None, after) if after else (known.find(series, task, paired.before), None)


def _dumbbell(
    ladder: Ladder, at: int, pair: tuple[Estimate | None, Estimate | None], look: Look, labels: tuple[str, str]
) -> list[Element]:
    sides = [(r, label, r is pair[1]) for r, label in zip(pair, labels, strict=True) if r is not None]
    found = []
    if len(sides) == 2:
        (x1, y1), (x2, y2) = (ladder.at(r.value or 0, at, OFF if last else -OFF) for r, _, last in sides)
        found.append(rule((x1, y1), (x2, y2), f"joined {look.tint}"))
    for row, label, is_after in sides:
        found += spot(ladder, row, at, look, f"{with_bounds(row, '.1%')} {label}\n{counted(row)}", is_after)
    return found


def spot(ladder: Ladder, row: Estimate, at: int, look: Look, hover: str, is_filled: bool) -> list[Element]:
    """Return the point of ``row``, which has a value, with its interval: filled below the row's middle, open above."""
    off = OFF if is_filled else -OFF
    ends = []
    if row.ci_low is not None and row.ci_high is not None:
        ends = [whisker(ladder.at(row.ci_low, at, off), ladder.at(row.ci_high, at, off), look)]
    place = ladder.at(row.value or 0, at, off)
    return [*ends, point(place, look, f"{hover}\n{one_line(row.task)}, {one_line(row.series)}", is_open=not is_filled)]


def _chance(ladder: Ladder, level: float, at: int) -> Element:
    ends = ladder.at(level, at, -12), ladder.at(level, at, 12)
    return rule(*ends, "chance", element("title", f"chance: {level:.0%}"))


def _told(label: str, pair: tuple[Estimate | None, Estimate | None], labels: tuple[str, str]) -> str:
    said = [f"{with_bounds(r, '.0%')} {name}" for r, name in zip(pair, labels, strict=True) if r is not None]
    return f"{one_line(label)}: {', '.join(said) or 'no value'}"
