"""The report's figures that compare models: paraphrase drop, transfer matrix, frontier. Plain plotly dicts.

In: estimates rows (dicts; ``model`` names the series). Out: ``Figure`` objects; every text in them is HTML-escaped.
"""

from html import escape
from typing import Any

from cotfaith.cluster.report.figures import Figure, Row, base_layout, bounds_text, error_bar, find

SYMBOLS = {"cot": "circle", "cot_decomposition": "square", "factored_decomposition": "diamond"}


def drop_figure(rows: list[Row], colours: dict[str, str]) -> Figure | None:
    """Return the paraphrase drop of each task and model: in accuracy (filled) and in same answers (open)."""
    known = [r for r in rows if r["metric"] == "paraphrase_drop" and r["position"] is None and r["value"] is not None]
    names = sorted({(r["task"], r["model"]) for r in known}, reverse=True)
    if not names:
        return None
    data = [_drop(r, colours[r["model"]], names.index((r["task"], r["model"]))) for r in known]
    one_model = len(colours) == 1
    labels = [escape(task) if one_model else f"{escape(task)}<br>{escape(model)}" for task, model in names]
    layout = base_layout("resampled minus paraphrased", "")
    layout["xaxis"] |= {"tickformat": "+.0%", "zeroline": True, "zerolinewidth": 2}
    layout["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": labels, "range": [-0.6, len(names) - 0.4]}
    layout["yaxis"] |= {"showgrid": False, "zeroline": False}
    return Figure("", 90 + 46 * len(names), {"data": data, "layout": layout})


def _drop(row: Row, colour: str, at: int) -> dict[str, Any]:
    filled = row["method"] == "accuracy"
    what = "accuracy" if filled else "same answer"
    return {
        "x": [row["value"]],
        "y": [at + (0.12 if filled else -0.12)],
        "mode": "markers",
        "marker": {"color": colour, "size": 10, "symbol": "circle" if filled else "circle-open", "line": {"width": 2}},
        "error_x": error_bar(row, colour),
        "hovertemplate": f"%{{x:+.1%}} {what}<br>{bounds_text(row, '+.1%')}{_counts(row)}<extra></extra>",
    }


def transfer_figure(rows: list[Row], task: str) -> Figure | None:
    """Return one task's matrix: accuracy of each reader (columns) with each author's chains (rows)."""
    here = [r for r in rows if r["task"] == task and r["position"] is None]
    metrics = ("transfer_accuracy", "transfer_accuracy_paired")  # side by side: on the same chains, if there are any
    cells = {(r["model"], r["method"]): r for metric in metrics for r in here if r["metric"] == metric}
    if not cells:
        return None
    authors = sorted({author for author, _ in cells}, reverse=True)  # plotly's rows go upwards
    readers = sorted({reader for _, reader in cells})
    others = {(r["model"], r["method"], r["metric"]): r for r in here}
    grid = [[cells.get((author, reader)) for reader in readers] for author in authors]
    plot = {
        "type": "heatmap",
        "x": [escape(reader) for reader in readers],
        "y": [escape(author) for author in authors],
        "z": [[cell and cell["value"] for cell in line] for line in grid],
        "text": [[_share(cell) for cell in line] for line in grid],
        "customdata": [[_about(cell, others) for cell in line] for line in grid],
        "texttemplate": "%{text}",
        "hovertemplate": "%{x} reads %{y}: %{text}<br>%{customdata}<extra></extra>",
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "#eef4f9"], [1, "#0b62a5"]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }
    layout = base_layout("reader", "author of the chain")
    layout["xaxis"] |= {"type": "category", "showgrid": False}
    layout["yaxis"] |= {"type": "category", "showgrid": False}
    return Figure(task, 110 + 34 * len(authors), {"data": [plot], "layout": layout})


def _share(row: Row | None) -> str:
    return "" if row is None else "–" if row["value"] is None else f"{row['value']:.0%}"


def _about(cell: Row | None, others: dict[tuple[str, str, str], Row]) -> str:
    if cell is None:
        return ""
    lines = [bounds_text(cell, ".0%") + _counts(cell)]
    for metric, words in (("transfer_gap", "author minus reader"), ("transfer_gain", "gain over no chain")):
        row = others.get((cell["model"], cell["method"], metric))
        if row is not None and row["value"] is not None:
            lines.append(f"{words}: {_with_bounds(row, '+.0%')}")
    return "<br>".join(lines)


def frontier_figure(rows: list[Row], colours: dict[str, str], task: str) -> Figure | None:
    """Return one task's plane: accuracy with a chain against dependence on it, a point for each model and strategy.

    Dependence is the AOC of early answering, or where that was not measured raw reliance. None for a single point.
    """
    here = [r for r in rows if r["task"] == task]
    has_aoc = any((r["metric"], r["method"]) == ("aoc", "trapezoid") and r["value"] is not None for r in here)
    metric, method = ("aoc", "trapezoid") if has_aoc else ("raw_reliance", None)
    pairs = [(m, find(here, m, task, "accuracy_cot"), find(here, m, task, metric, method)) for m in colours]
    data = [_point(m, x, y, colours[m]) for m, x, y in pairs if x is not None and y is not None]
    if len(data) < 2:
        return None
    words = "AOC of early answering" if has_aoc else "answers that change without a chain"
    layout = base_layout("accuracy with a chain", words)
    layout["xaxis"] |= {"tickformat": ".0%", "range": [-0.03, 1.05]}
    layout["yaxis"] |= {"range": [-0.03, 1.05]}
    return Figure(task, 300, {"data": data, "layout": layout})


def _point(model: str, x: Row, y: Row, colour: str) -> dict[str, Any]:
    words = {"aoc": "AOC", "raw_reliance": "changed without a chain"}[y["metric"]]
    axes = (f"accuracy {_with_bounds(x, '.0%')}", f"{words} {_with_bounds(y, '.2f')}")
    return {
        "x": [x["value"]],
        "y": [y["value"]],
        "mode": "markers",
        "marker": {"color": colour, "size": 10, "symbol": SYMBOLS.get(x["strategy"], "circle")},
        "error_x": error_bar(x, colour),
        "error_y": error_bar(y, colour),
        "hovertemplate": f"{'<br>'.join(axes)}<extra>{escape(model)}</extra>",
    }


def _with_bounds(row: Row, form: str) -> str:
    bounds = bounds_text(row, form).rstrip("; ")
    return f"{row['value']:{form}} ({bounds})" if bounds else f"{row['value']:{form}}"


def _counts(row: Row) -> str:
    return f"{row['n_ok']} of {row['n_total']} ok"
