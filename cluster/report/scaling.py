"""Larger, or only better? The sweep over sizes, sizes at equal performance, and the plane, from ``comparisons``.

In: rows of the table ``comparisons``. Out: ``Scaling``, ready to be printed; None if the run has no such rows. Texts in
figures are HTML-escaped here, the others by the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from cotfaith.cluster.colours import COLOURS
from cotfaith.cluster.report.figures import Figure, base_layout
from cotfaith.cluster.stats.metrics.lib.metric import title

Row = Mapping[str, Any]
Key = tuple[str, ...]
AS_MEASURED, AT_EQUAL_SKILL = "as measured", "at equal skill"
LINES = {"size_value": (AS_MEASURED, "solid"), "size_value_matched": (AT_EQUAL_SKILL, "dot")}
ISO = {"iso_performance": "loss", "iso_accuracy": "accuracy without a chain"}
UNITS = {10**3: "K", 10**6: "M", 10**9: "B", 10**12: "T"}
MORE_IN_WORDS = {
    "no_common_support": "the models share no skill",
    "one_checkpoint": "one checkpoint is no line",
    "no_common_range": "no common range of performance",
    "performance_alike": "the tasks' performances are alike",
    "all_alike": "all items are alike",
}


@dataclass(frozen=True)
class Table:
    """A table of text."""

    title: str
    note: str
    columns: Sequence[str]
    """The first ``texts`` are names, the others figures."""
    texts: int
    lines: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Scaling:
    """The section of the page."""

    groups: Sequence[tuple[str, Sequence[tuple[str, Figure]]]]
    """(heading, figures, each with its id)."""
    tables: Sequence[Table]


def scaling(rows: Sequence[Row]) -> Scaling | None:
    """Return the section."""
    named = [{**row, "name": title(row["metric"], row["method"])} for row in rows]
    tables = [one for one in (_sweep(named), _checkpoints(named), _plane(named)) if one.lines]
    return Scaling(_groups(named), tables) if tables else None


def _groups(rows: Sequence[Row]) -> list[tuple[str, list[tuple[str, Figure]]]]:
    """Return a group of figures for each family and place, with a figure for each metric."""
    found: dict[Key, dict[str, list[Row]]] = {}
    for row in rows:
        if row["kind"] in LINES:
            found.setdefault((row["family"], *_place(row)), {}).setdefault(row["name"], []).append(row)
    return [
        (" · ".join(key), [(f"size-{g}-{i}", _figure(name, own)) for i, (name, own) in enumerate(metrics.items())])
        for g, (key, metrics) in enumerate(found.items())
    ]


def _place(row: Row) -> Key:
    return tuple(row[name] for name in ("task", "strategy", "channel") if row[name])


def _figure(name: str, rows: Sequence[Row]) -> Figure:
    """Return one metric against size: as measured, and at equal skill."""
    data = []
    for at, (kind, (line, dash)) in enumerate(LINES.items()):
        own = sorted((row for row in rows if row["kind"] == kind and row["value"] is not None), key=_size)
        if own:
            data.append(_line(line, COLOURS[at], dash, own))
    layout = base_layout("parameters", "")
    sizes = sorted({_size(row) for row in rows})
    layout["xaxis"] |= {"type": "log", "tickvals": sizes, "ticktext": [_in_units(size) for size in sizes]}
    layout["xaxis"] |= {"tickangle": -45}
    return Figure(name, 240, {"data": data, "layout": layout})


def _in_units(size: float) -> str:
    """Return a size such as 135M."""
    power = max((power for power in UNITS if size >= power), default=1)
    return f"{size / power:.3g}{UNITS.get(power, '')}"


def _size(row: Row) -> float:
    return float(row["at"])


def _line(name: str, colour: str, dash: str, rows: Sequence[Row]) -> dict[str, Any]:
    above, below = ([_far(row, end) for row in rows] for end in ("ci_high", "ci_low"))
    return {
        "x": [row["at"] for row in rows],
        "y": [row["value"] for row in rows],
        "text": [escape(row["model_a"]) for row in rows],
        "name": name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": 7},
        "error_y": {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "width": 3},
        "hovertemplate": f"%{{y:.3f}} at %{{x:,}} parameters<br>%{{text}}<extra>{name}</extra>",
    }


def _far(row: Row, end: str) -> float:
    return 0.0 if row[end] is None else abs(float(row[end]) - float(row["value"]))


def _sweep(rows: Sequence[Row]) -> Table:
    """Return the slopes, as measured and at equal skill side by side."""
    matched = {_key(row): row for row in rows if row["kind"] == "size_slope_matched"}
    slopes = [(row, matched[_key(row)]) for row in rows if row["kind"] == "size_slope" and _key(row) in matched]
    lines = [
        [*_names(row, row["family"]), str(row["n_models"]), *_figures(row), *_figures(other), _support(other)]
        for row, other in slopes
    ]
    note = (
        "The change for a model ten times as large, with its 95% interval and p-value over items, for these models. A "
        "slope as measured that is gone at equal skill is skill: the larger model needs its chain on fewer items. "
        "P-values are not corrected for the number of lines."
    )
    names = ["Family", "Task", "Metric", "Models", "As measured", "p", "At equal skill", "p", "Items kept"]
    return Table("Against size", note, names, 3, lines)


def _key(row: Row) -> tuple[Any, ...]:
    return (row["family"], *_place(row), row["metric"], row["method"])


def _checkpoints(rows: Sequence[Row]) -> Table:
    lines = [
        [*_names(row, f"{row['model_a']} minus {row['model_b']}"), _read_at(row), *_figures(row)]
        for row in rows
        if row["kind"] in ISO
    ]
    note = "The larger model minus the smaller, each interpolated over its checkpoints to where both perform alike."
    return Table("At equal performance", note, ["Models", "Task", "Metric", "Read at", "Difference", "p"], 3, lines)


def _read_at(row: Row) -> str:
    return "–" if row["at"] is None else f"{ISO[row['kind']]} {row['at']:.3f}"


def _plane(rows: Sequence[Row]) -> Table:
    """Return the lines that could be fitted; runs of one or two tasks have none."""
    at = {_plane_key(row): row for row in rows if row["kind"] == "plane_at"}
    without: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row["kind"] == "plane_slope_without":
            without.setdefault(_plane_key(row), []).append(float(row["value"]))
    lines = [
        [row["model_a"], row["name"], *_figures(row), _range(without.get(key, [])), _figures(at[key])[0]]
        for row in rows
        if row["kind"] == "plane_slope" and (key := _plane_key(row)) in at
    ]
    reference = next((f" ({row['at']:.2f})" for row in at.values()), "")
    note = (
        "Each task is a point of a model: the metric against the accuracy without a chain. The value at the reference "
        "performance compares models that do not do equally well."
    )
    names = ["Model", "Metric", "Slope", "p", "Without one task", f"At the reference{reference}"]
    return Table("Performance and faithfulness over tasks", note, names, 2, lines)


def _plane_key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("model_a", "strategy", "channel", "metric", "method"))


def _names(row: Row, first: str) -> list[str]:
    return [first, " · ".join(_place(row)), row["name"]]


def _figures(row: Row) -> list[str]:
    """Return the value with its interval, and the p-value."""
    if row["value"] is None:
        why = str(row["interval"] or "")
        return [MORE_IN_WORDS.get(why, why.replace("_", " ")), ""]
    ends = "no interval" if row["ci_low"] is None else f"{row['ci_low']:+.3f} to {row['ci_high']:+.3f}"
    return [f"{row['value']:+.3f} ({ends})", _p(row["p_value"])]


def _p(value: float | None) -> str:
    return "" if value is None else "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _support(row: Row) -> str:
    return "" if row["value"] is None or row["support"] is None else f"{row['support']:.0%}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):+.3f} to {max(values):+.3f}" if values else "–"
