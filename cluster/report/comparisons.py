"""The report's figures that compare models: differences, matrix, frontier. Plain plotly dicts.

In: estimates, and the drawings in a probe's words. Out: ``Figure`` objects; every text in them is HTML-escaped.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from cotfaith.cluster.report.figures import Figure, base_layout, bounds_text, error_bar, find, named_lines
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Differences, Frontier, Matrix
from cotfaith.cluster.stats.metrics.lib.words import Dependence

SYMBOLS = {"cot": "circle", "cot_decomposition": "square", "factored_decomposition": "diamond"}


def difference_figure(rows: list[Estimate], colours: dict[str, str], asked: Differences) -> Figure | None:
    """Return the differences by task and model, with a point for each method: the first filled, the others open."""
    named = [r for r in rows if r.metric == asked.metric and r.method in asked.labels]
    known = [r for r in named if r.position is None and r.value is not None]
    names = sorted({(r.task, r.series) for r in known}, reverse=True)
    if not names:
        return None
    data = [_difference(r, colours[r.series], names.index((r.task, r.series)), asked) for r in known]
    layout = base_layout(asked.x, "")
    layout["xaxis"] |= {"tickformat": "+.0%", "zeroline": True, "zerolinewidth": 2}
    return Figure("", 90 + 46 * len(names), {"data": data, "layout": named_lines(layout, names, colours)})


def _difference(row: Estimate, colour: str, at: int, asked: Differences) -> dict[str, Any]:
    filled, what = row.method == next(iter(asked.labels)), asked.labels[str(row.method)]
    return {
        "x": [row.value],
        "y": [at + (0.12 if filled else -0.12)],
        "mode": "markers",
        "marker": {"color": colour, "size": 10, "symbol": "circle" if filled else "circle-open", "line": {"width": 2}},
        "error_x": error_bar(row, colour),
        "hovertemplate": f"%{{x:+.1%}} {what}<br>{bounds_text(row, '+.1%')}{_counts(row)}<extra></extra>",
    }


def matrix_figure(rows: list[Estimate], task: str, asked: Matrix) -> Figure | None:
    """Return one task's matrix: models that the method names (columns) by measured models (rows)."""
    here = [r for r in rows if r.task == task and r.position is None]
    cells = {(r.series, str(r.method)): r for metric in asked.metrics for r in here if r.metric == metric}
    if not cells:
        return None
    authors = sorted({author for author, _ in cells}, reverse=True)  # plotly's rows go upwards
    readers = sorted({reader for _, reader in cells})
    others = {(r.series, r.method, r.metric): r for r in here}
    grid = [[cells.get((author, reader)) for reader in readers] for author in authors]
    plot = {
        "type": "heatmap",
        "x": [escape(reader) for reader in readers],
        "y": [escape(author) for author in authors],
        "z": [[cell and cell.value for cell in line] for line in grid],
        "text": [[_share(cell) for cell in line] for line in grid],
        "customdata": [[_about(cell, others, asked) for cell in line] for line in grid],
        "texttemplate": "%{text}",
        "hovertemplate": "%{x} reads %{y}: %{text}<br>%{customdata}<extra></extra>",
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "#eef4f9"], [1, "#0b62a5"]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }
    layout = base_layout(asked.x, asked.y)
    layout["xaxis"] |= {"type": "category", "showgrid": False}
    layout["yaxis"] |= {"type": "category", "showgrid": False}
    return Figure(task, 110 + 34 * len(authors), {"data": [plot], "layout": layout})


def _share(row: Estimate | None) -> str:
    return "" if row is None else "–" if row.value is None else f"{row.value:.0%}"


def _about(cell: Estimate | None, others: dict[tuple[str, str | None, str], Estimate], asked: Matrix) -> str:
    if cell is None:
        return ""
    lines = [bounds_text(cell, ".0%") + _counts(cell)]
    for metric, words in asked.about.items():
        row = others.get((cell.series, cell.method, metric))
        if row is not None and row.value is not None:
            lines.append(f"{words}: {_with_bounds(row, '+.0%')}")
    return "<br>".join(lines)


def frontier_figure(
    rows: list[Estimate], colours: dict[str, str], task: str, asked: Frontier, known: Sequence[Dependence]
) -> Figure | None:
    """Return one task's scatter plot: a metric against dependence on the chain, a point for each model and strategy.

    Dependence is the first of ``known`` that was measured. None if there are fewer than two points.
    """
    here = [r for r in rows if r.task == task]
    measured = {(r.metric, r.method) for r in here if r.value is not None}
    one = next((one for one in known if (one.metric, one.method) in measured), None)
    if one is None:
        return None
    pairs = [(m, find(here, m, task, asked.metric), find(here, m, task, one.metric, one.method)) for m in colours]
    labels = (asked.label, one.label)
    data = [_point(m, x, y, colours[m], labels) for m, x, y in pairs if x is not None and y is not None]
    if len(data) < 2:
        return None
    layout = base_layout(asked.x, one.axis)
    layout["xaxis"] |= {"tickformat": ".0%", "range": [-0.03, 1.05]}
    layout["yaxis"] |= {"range": [-0.03, 1.05]}
    return Figure(task, 300, {"data": data, "layout": layout})


def _point(model: str, x: Estimate, y: Estimate, colour: str, labels: tuple[str, str]) -> dict[str, Any]:
    axes = (f"{labels[0]} {_with_bounds(x, '.0%')}", f"{labels[1]} {_with_bounds(y, '.2f')}")
    return {
        "x": [x.value],
        "y": [y.value],
        "mode": "markers",
        "marker": {"color": colour, "size": 10, "symbol": SYMBOLS.get(x.strategy, "circle")},
        "error_x": error_bar(x, colour),
        "error_y": error_bar(y, colour),
        "hovertemplate": f"{'<br>'.join(axes)}<extra>{escape(model)}</extra>",
    }


def _with_bounds(row: Estimate, form: str) -> str:
    bounds = bounds_text(row, form).rstrip("; ")
    return f"{row.value:{form}} ({bounds})" if bounds else f"{row.value:{form}}"


def _counts(row: Estimate) -> str:
    return f"{row.n_ok} of {row.n_total} ok"
