"""The report's figures, as plain plotly dicts (data and layout), ready for JSON.

In: estimates (``series`` is the name of a line), chains, and the drawings in a probe's words. Out: ``Figure`` objects,
one for each small multiple. Every text in a figure is HTML-escaped here, because plotly renders tags in labels. The
page sets the theme colours. Figures that compare whole models are in ``paired.py`` and ``comparisons.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from cotfaith.cluster.colours import COLOURS
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Curve

DASHES = ("solid", "dot")
MOST_BANDS = 4
"""The most lines in one plot that are drawn with bands; with more lines, intervals are only in the hover text."""


@dataclass(frozen=True)
class Figure:
    """One plot; ``title`` is plain text, not escaped."""

    title: str
    height: int
    plot: dict[str, Any]


def model_colours(models: list[str]) -> dict[str, str]:
    """Return a colour for each model, in order."""
    return {model: COLOURS[i % len(COLOURS)] for i, model in enumerate(models)}


def curve_figure(rows: list[Estimate], colours: dict[str, str], task: str, curve: Curve, title: str) -> Figure | None:
    """Return one task's figure of ``curve`` with 95% bands; None without points. Points with few items are left out."""
    placed = [r for r in rows if (r.task, r.metric) == (task, curve.metric) and r.position is not None]
    known = [r for r in placed if r.value is not None]
    bands = len(colours) * len(curve.methods) <= MOST_BANDS
    data: list[dict[str, Any]] = []
    for model, colour in colours.items():
        for method, dash in zip(curve.methods, DASHES, strict=False):
            points = _common([r for r in known if (r.series, r.method) == (model, method)])
            name = model if len(curve.methods) == 1 else f"{model}, {method}"
            data += _line(name, colour, dash, points, bands, curve.share)
            data += _baseline(rows, model, task, curve, points, colour) if points else []
    layout = base_layout(curve.x, curve.y, curve.share)
    return Figure(title, 260, {"data": data, "layout": layout}) if any(line["x"] for line in data) else None


def named_lines(layout: dict[str, Any], names: list[tuple[str, str]], colours: dict[str, str]) -> dict[str, Any]:
    """Return ``layout`` with a line for each (task, model) on the y axis; a single model is not named."""
    labels = [escape(task) if len(colours) == 1 else f"{escape(task)}<br>{escape(series)}" for task, series in names]
    layout["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": labels, "range": [-0.6, len(names) - 0.4]}
    layout["yaxis"] |= {"showgrid": False, "zeroline": False}
    return layout


def length_figures(chains: pl.DataFrame, colours: dict[str, str]) -> list[Figure]:
    """Return a histogram of steps per chain for each task; chains without steps count as 0."""
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


def _common(points: list[Estimate]) -> list[Estimate]:
    """Leave out points with less than a fifth of the items of the largest point: they are mostly noise."""
    most = max((r.n_items for r in points), default=0)
    return [r for r in points if 5 * r.n_items >= most]


def find(rows: list[Estimate], series: str, task: str, metric: str, method: str | None = None) -> Estimate | None:
    """Return the estimate that is not part of a curve, if it has a value."""
    wanted = (series, task, metric, method, None)
    found = (r for r in rows if (r.series, r.task, r.metric, r.method, r.position) == wanted)
    return next((r for r in found if r.value is not None), None)


def _line(name: str, colour: str, dash: str, points: list[Estimate], band: bool, share: bool) -> list[dict[str, Any]]:
    x, y = [r.position for r in points], [r.value for r in points]
    banded = [r for r in points if r.ci_low is not None]
    form = ".0%" if share else ".2f"
    counts = [f"{bounds_text(r, form)}{r.n_ok} of {r.n_total} ok, {r.n_items} items" for r in points]
    line: dict[str, Any] = {
        "x": x,
        "y": y,
        "text": counts,
        "name": escape(name),
        "mode": "lines+markers",
        "hovertemplate": f"%{{y:{form}}} at %{{x}}<br>%{{text}}<extra>{escape(name)}</extra>",
    }
    line |= {"line": {"color": colour, "width": 2, "dash": dash}, "marker": {"color": colour, "size": 5}}
    return [*_bands(colour, banded), line] if banded and band else [line]


def bounds_text(row: Estimate, form: str) -> str:
    """Return the interval as a prefix for other text; "" if there is none."""
    return "" if row.ci_low is None else f"{row.ci_low:{form}} to {row.ci_high:{form}}; "


def _bands(colour: str, points: list[Estimate]) -> list[dict[str, Any]]:
    """Return the band that holds at all positions at once, if there is one, and the pointwise one on it."""
    pointwise = [(r.position, r.ci_low, r.ci_high) for r in points]
    at_once = [(r.position, r.band_low, r.band_high) for r in points if r.band_low is not None]
    return [*([_band(colour, at_once, 0.08)] if at_once else []), _band(colour, pointwise, 0.16)]


def _band(colour: str, ends: Sequence[tuple[float | None, ...]], opacity: float) -> dict[str, Any]:
    x = [at for at, _, _ in ends]
    edge = [low for _, low, _ in ends] + [high for _, _, high in reversed(ends)]
    fill = f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},{opacity})"
    style = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": fill, "hoverinfo": "skip"}
    return {"x": x + x[::-1], "y": edge, **style}


def _baseline(
    rows: list[Estimate], model: str, task: str, curve: Curve, points: list[Estimate], colour: str
) -> list[dict[str, Any]]:
    """Return the dotted line of the metric with which ``curve`` is compared: at its own positions, or as a level."""
    if curve.baseline is None:
        return []
    wanted = (model, task, curve.baseline, curve.baseline_method)
    found = [r for r in rows if (r.series, r.task, r.metric, r.method) == wanted and r.value is not None]
    placed = [r for r in found if r.position in {p.position for p in points}]
    x = [r.position for r in placed] or [0, max(p.position or 0 for p in points)]
    y = [r.value for r in placed] or [r.value for r in found if r.position is None] * 2
    line = {"color": colour, "dash": "dot", "width": 1.5}
    return [{"x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip"}] if y else []


def error_bar(row: Estimate, colour: str) -> dict[str, Any]:
    """Return the row's interval as a plotly error bar; its length is 0 if there is none."""
    sides = {"array": [0.0], "arrayminus": [0.0]}
    if row.value is not None and row.ci_low is not None and row.ci_high is not None:
        sides = {"array": [row.ci_high - row.value], "arrayminus": [row.value - row.ci_low]}
    return {"type": "data", "symmetric": False, **sides, "color": colour, "thickness": 1.5, "width": 0}


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
