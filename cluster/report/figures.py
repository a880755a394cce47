"""The report's figures, as plain plotly dicts (data and layout), ready for JSON.

In: estimates rows (dicts; ``model`` names what a line stands for) and chains. Out: ``Figure`` objects, one for each
small multiple. Every text that goes into a figure is HTML-escaped here, because plotly renders tags in labels. Theme
colours are left to the page. Figures that compare whole models are in ``comparisons.py``.
"""

from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from cotfaith.cluster.colours import COLOURS

Row = dict[str, Any]
DASHES = ("solid", "dot")
MOST_BANDS = 4
"""Lines in one plot whose bands can still be told apart; with more, intervals are in the hover text alone."""


@dataclass(frozen=True)
class Figure:
    """One plot; ``title`` is plain text, not escaped."""

    title: str
    height: int
    plot: dict[str, Any]


def model_colours(models: list[str]) -> dict[str, str]:
    """Return a colour for each model, in order."""
    return {model: COLOURS[i % len(COLOURS)] for i, model in enumerate(models)}


@dataclass(frozen=True)
class Curve:
    """A metric by position, and how it is drawn: a line for each model, and each method."""

    title: str
    metric: str
    methods: tuple[str, ...]
    """The first is a full line, a second one dotted."""
    x: str
    y: str
    baseline: str | None = None
    """A metric drawn dotted beside it: a level, or by position where ``baseline_method`` has positions."""
    baseline_method: str | None = None
    share: bool = True
    """Whether the metric is a share from 0 to 1."""


def curve_figure(rows: list[Row], colours: dict[str, str], task: str, curve: Curve, title: str) -> Figure | None:
    """Return one task's figure of ``curve`` with 95% bands, or None. Positions with few items are not drawn."""
    known = [r for r in rows if (r["task"], r["metric"]) == (task, curve.metric) and r["value"] is not None]
    bands = len(colours) * len(curve.methods) <= MOST_BANDS
    data: list[dict[str, Any]] = []
    for model, colour in colours.items():
        for method, dash in zip(curve.methods, DASHES, strict=False):
            points = _common([r for r in known if (r["model"], r["method"]) == (model, method)])
            name = model if len(curve.methods) == 1 else f"{model}, {method}"
            data += _line(name, colour, dash, points, bands, curve.share)
            data += _baseline(rows, model, task, curve, points, colour) if points else []
    layout = base_layout(curve.x, curve.y, curve.share)
    return Figure(title, 260, {"data": data, "layout": layout}) if any(line["x"] for line in data) else None


def curve_figures(rows: list[Row], colours: dict[str, str], curve: Curve) -> list[Figure]:
    """Return a figure of ``curve`` for each task."""
    tasks = sorted({r["task"] for r in rows})
    found = (curve_figure(rows, colours, task, curve, task) for task in tasks)
    return [figure for figure in found if figure is not None]


def accuracy_figure(rows: list[Row], colours: dict[str, str], chance: dict[str, float]) -> Figure | None:
    """Return a dumbbell for each task and model: accuracy without a chain (open) and with one (filled)."""
    names = sorted({(r["task"], r["model"]) for r in rows if r["metric"] == "accuracy_cot"}, reverse=True)
    if not names:
        return None
    data: list[dict[str, Any]] = []
    for at, (task, model) in enumerate(names):
        without, with_cot = side_by_side(rows, model, task)
        if task in chance:
            data.append(_chance(chance[task], at))
        if without and with_cot:
            data.append(_bar(colours[model], [without["value"], with_cot["value"]], at))
        data += [_dot(row, colours[model], at, filled) for row, filled in ((without, False), (with_cot, True)) if row]
    one_model = len(colours) == 1
    labels = [escape(task) if one_model else f"{escape(task)}<br>{escape(model)}" for task, model in names]
    layout = base_layout("accuracy", "")
    layout["xaxis"] |= {"range": [-0.02, 1.02], "tickformat": ".0%"}
    layout["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": labels, "range": [-0.6, len(names) - 0.4]}
    layout["yaxis"] |= {"showgrid": False, "zeroline": False}
    return Figure("", 90 + 46 * len(names), {"data": data, "layout": layout})


def side_by_side(rows: list[Row], model: str, task: str) -> tuple[Row | None, Row | None]:
    """Return accuracy without and with a chain on the same chains; only one of them where they cannot be compared."""
    pair = [find(rows, model, task, metric, "paired") for metric in ("accuracy_no_cot", "accuracy_cot")]
    if pair[0] is not None and pair[1] is not None:
        return pair[0], pair[1]
    with_cot = find(rows, model, task, "accuracy_cot")
    return (None, with_cot) if with_cot else (find(rows, model, task, "accuracy_no_cot"), None)


def length_figures(chains: pl.DataFrame, colours: dict[str, str]) -> list[Figure]:
    """Return a histogram of steps per chain for each task; chains without any step count as 0."""
    counts = chains.filter(pl.col("n_steps").is_not_null()).group_by("task", "model", "n_steps").len().sort("n_steps")
    figures = []
    for task in counts["task"].unique().sort().to_list():
        data = []
        for model, colour in colours.items():
            part = counts.filter(pl.col("task") == task, pl.col("model") == model)
            bars = {"x": part["n_steps"].to_list(), "y": part["len"].to_list(), "name": escape(model)}
            data.append({"type": "bar", "marker": {"color": colour}, "opacity": 0.85, **bars})
        layout = base_layout("steps", "chains") | {"barmode": "group", "bargap": 0.15}
        layout["xaxis"] |= {"tickformat": "d", "zeroline": False}
        figures.append(Figure(task, 220, {"data": data, "layout": layout}))
    return figures


def _common(points: list[Row]) -> list[Row]:
    """Leave out the points with less than a fifth of the items of the largest: they are noise from few items."""
    most = max((r["n_items"] for r in points), default=0)
    return [r for r in points if 5 * r["n_items"] >= most]


def find(rows: list[Row], model: str, task: str, metric: str, method: str | None = None) -> Row | None:
    """Return the estimate that is no curve, if it has a value."""
    wanted = (model, task, metric, method, None)
    fields = ("model", "task", "metric", "method", "position")
    found = (r for r in rows if tuple(r[f] for f in fields) == wanted and r["value"] is not None)
    return next(found, None)


def _line(name: str, colour: str, dash: str, points: list[Row], band: bool, share: bool) -> list[dict[str, Any]]:
    x, y = [r["position"] for r in points], [r["value"] for r in points]
    banded = [r for r in points if r["ci_low"] is not None]
    form = ".0%" if share else ".2f"
    counts = [f"{bounds_text(r, form)}{r['n_ok']} of {r['n_total']} ok, {r['n_items']} items" for r in points]
    line: dict[str, Any] = {
        "x": x,
        "y": y,
        "text": counts,
        "name": escape(name),
        "mode": "lines+markers",
        "hovertemplate": f"%{{y:{form}}} at %{{x}}<br>%{{text}}<extra>{escape(name)}</extra>",
    }
    line |= {"line": {"color": colour, "width": 2, "dash": dash}, "marker": {"color": colour, "size": 5}}
    return [_band(colour, banded), line] if banded and band else [line]


def bounds_text(row: Row, form: str) -> str:
    """Return the interval, ready to stand before something else; "" if there is none."""
    return "" if row["ci_low"] is None else f"{row['ci_low']:{form}} to {row['ci_high']:{form}}; "


def _band(colour: str, points: list[Row]) -> dict[str, Any]:
    x = [r["position"] for r in points]
    edge = [r["ci_low"] for r in points] + [r["ci_high"] for r in reversed(points)]
    fill = f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},0.16)"
    style = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": fill, "hoverinfo": "skip"}
    return {"x": x + x[::-1], "y": edge, **style}


def _baseline(
    rows: list[Row], model: str, task: str, curve: Curve, points: list[Row], colour: str
) -> list[dict[str, Any]]:
    """Return the dotted line of the metric that ``curve`` is compared with: at its own positions, or a level."""
    if curve.baseline is None:
        return []
    wanted = (model, task, curve.baseline, curve.baseline_method)
    found = [r for r in rows if (r["model"], r["task"], r["metric"], r["method"]) == wanted and r["value"] is not None]
    placed = [r for r in found if r["position"] in {p["position"] for p in points}]
    x = [r["position"] for r in placed] or [0, max(p["position"] for p in points)]
    y = [r["value"] for r in placed] or [r["value"] for r in found if r["position"] is None] * 2
    line = {"color": colour, "dash": "dot", "width": 1.5}
    return [{"x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip"}] if y else []


def _dot(row: Row, colour: str, at: int, filled: bool) -> dict[str, Any]:
    label = "with a chain" if filled else "without a chain"
    return {
        "x": [row["value"]],
        "y": [at + (0.1 if filled else -0.1)],
        "mode": "markers",
        "marker": {"color": colour, "size": 10, "symbol": "circle" if filled else "circle-open", "line": {"width": 2}},
        "error_x": error_bar(row, colour),
        "hovertemplate": f"%{{x:.1%}} {label}<br>{row['n_ok']} of {row['n_total']} ok<extra></extra>",
    }


def error_bar(row: Row, colour: str) -> dict[str, Any]:
    """Return the row's interval as plotly draws it; of length 0 if there is none."""
    value = row["value"]
    low, high = (row["ci_low"], row["ci_high"]) if row["ci_low"] is not None else (value, value)
    sides = {"array": [high - value], "arrayminus": [value - low]}
    return {"type": "data", "symmetric": False, **sides, "color": colour, "thickness": 1.5, "width": 0}


def _bar(colour: str, x: list[float], at: int) -> dict[str, Any]:
    line = {"color": colour, "width": 5}
    y = [at - 0.1, at + 0.1]
    return {"x": x, "y": y, "mode": "lines", "line": line, "opacity": 0.25, "hoverinfo": "skip"}


def _chance(level: float, at: int) -> dict[str, Any]:
    line = {"color": "#999", "dash": "dot", "width": 1.5}
    hover = f"guessing: {level:.0%}<extra></extra>"
    return {"x": [level] * 2, "y": [at - 0.38, at + 0.38], "mode": "lines", "line": line, "hovertemplate": hover}


def base_layout(x: str, y: str, share: bool = False) -> dict[str, Any]:
    """Return a layout with titled axes; ``share``: the y axis goes from 0% to 100%."""
    layout: dict[str, Any] = {
        "showlegend": False,
        "margin": {"l": 44, "r": 12, "t": 8, "b": 42},
        "xaxis": {"title": {"text": x, "standoff": 8}, "automargin": True},
        "yaxis": {"title": {"text": y, "standoff": 8}, "automargin": True},
        "hovermode": "closest",
    }
    if share:
        layout["yaxis"] |= {"range": [-0.03, 1.05], "tickformat": ".0%"}
    return layout
