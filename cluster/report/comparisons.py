"""The report's figures of differences, and of how models read each other's chains.

In: estimates, and the drawings in a probe's words. Out: ``Figure`` objects.
"""

from collections.abc import Mapping, Sequence

from cotfaith.cluster.report.drawing.axes import number_axis
from cotfaith.cluster.report.drawing.elements import one_line
from cotfaith.cluster.report.drawing.heat import Heat
from cotfaith.cluster.report.drawing.ladders import Ladder
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.figures import Figure, bounds_text, counted, with_bounds
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.report.paired import Name, by_task, spot
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Differences, Matrix


def difference_figures(known: Known, looks: Mapping[str, Look], asked: Differences) -> list[Figure]:
    """Return the differences by task and model, with a point for each method: the first filled, the others open."""
    named = [r for r in known.rows if r.metric == asked.metric and r.method in asked.labels]
    rows = [r for r in named if r.position is None and r.value is not None]
    names = sorted({(r.task, r.series) for r in rows})
    return [_differences(title, own, rows, looks, asked) for title, own in by_task(names, looks).items()]


def _differences(
    title: str,
    own: Sequence[tuple[str, Name]],
    known: Sequence[Estimate],
    looks: Mapping[str, Look],
    asked: Differences,
) -> Figure:
    """All figures have the same axis, so that they can be compared."""
    ends = [end for r in known for end in (r.value, r.ci_low, r.ci_high)]
    ladder = Ladder(number_axis(asked.x, [0.0, *ends], "+%", about=4), [label for label, _ in own])
    first = next(iter(asked.labels))
    marks, told = [], []
    for at, (label, name) in enumerate(own):
        for row in (r for r in known if (r.task, r.series) == name):
            what = asked.labels[str(row.method)]
            marks += spot(ladder, row, at, looks[row.series], _hover(row, what), row.method == first)
            told.append(f"{one_line(label)}: {what} {with_bounds(row, '+.1%')}")
    keys = [("dot" if method == first else "ring", what) for method, what in asked.labels.items()]
    about = f"{asked.x}{f', {title}' if title else ''}"
    return Figure(title, ladder.svg(about, told, keys, marks))


def _hover(row: Estimate, what: str) -> str:
    return f"{row.value:+.1%} {what}\n{bounds_text(row, '+.1%')}{counted(row)}"


def matrix_figure(known: Known, task: str, asked: Matrix) -> Figure | None:
    """Return one task's matrix: models that the method names (columns) by measured models (rows)."""
    cells = {(r.series, str(r.method)): r for metric in asked.metrics for r in known.of(task, metric)}
    if not cells:
        return None
    authors, readers = sorted({author for author, _ in cells}), sorted({reader for _, reader in cells})
    heat = Heat(
        readers,
        authors,
        {at: row.value for at, row in cells.items()},
        {at: _about(at, row, known, asked) for at, row in cells.items()},
        (asked.x, asked.y),
    )
    return Figure(task, heat.svg(f"{asked.y} by {asked.x}, {task}"))


def _about(at: tuple[str, str], cell: Estimate, known: Known, asked: Matrix) -> str:
    author, reader = (one_line(name) for name in at)
    value = "no value" if cell.value is None else f"{cell.value:.0%}"
    lines = [f"{reader} reads {author}: {value}", bounds_text(cell, ".0%") + counted(cell)]
    for metric, words in asked.about.items():
        row = known.find(cell.series, cell.task, metric, cell.method)
        if row is not None:
            lines.append(f"{words}: {with_bounds(row, '+.0%')}")
    return "\n".join(lines)
