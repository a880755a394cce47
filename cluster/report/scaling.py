"""Larger, or only better? The sweep over sizes, sizes at equal performance, and the plane, from ``comparisons``.

In: rows of the table ``comparisons``. Out: ``Scaling``, ready to be printed; None if the run has no such rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.axes import in_units, number_axis, size_axis
from cotfaith.cluster.report.drawing.elements import one_line, svg
from cotfaith.cluster.report.drawing.frames import Frame
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.drawing.marks import line, point, whisker
from cotfaith.cluster.report.figures import Figure
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.report.planes import plane_figures
from cotfaith.cluster.stats.metrics.lib.metric import title

Row = Mapping[str, Any]
Key = tuple[str, ...]
AS_MEASURED, AT_EQUAL_SKILL = "as measured", "at equal skill"
LINES = {
    "size_value": (AS_MEASURED, "solid", Look(0, "circle")),
    "size_value_matched": (AT_EQUAL_SKILL, "dotted", Look(1, "square")),
}
ISO = {"iso_performance": "loss", "iso_accuracy": "accuracy without a chain"}
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
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Scaling:
    """The section of the page."""

    groups: Sequence[tuple[str, Sequence[Figure]]]
    """(heading, figures)."""
    tables: Sequence[Table]


def scaling(rows: Sequence[Row], known: Known | None = None, looks: Mapping[str, Look] | None = None) -> Scaling | None:
    """Return the section; ``known``, ``looks``: the estimates and looks of all series, for the points of the plane."""
    planes = plane_figures(rows, known, looks or {}) if known else []
    named = [{**row, "name": title(row["metric"], row["method"])} for row in rows]
    tables = [one for one in (_sweep(named), _checkpoints(named), _plane(named, planes)) if one.lines]
    return Scaling(_groups(named), tables) if tables else None


def _groups(rows: Sequence[Row]) -> list[tuple[str, list[Figure]]]:
    """Return a group of figures for each family and place, with a figure for each metric."""
    found: dict[Key, dict[str, list[Row]]] = {}
    for row in rows:
        if row["kind"] in LINES:
            found.setdefault((row["family"], *_place(row)), {}).setdefault(row["name"], []).append(row)
    return [(" · ".join(key), [_figure(name, own) for name, own in one.items()]) for key, one in found.items()]


def _place(row: Row) -> Key:
    return tuple(row[name] for name in ("task", "strategy", "channel") if row[name])


def _figure(name: str, rows: Sequence[Row]) -> Figure:
    """Return one metric against size: as measured, and at equal skill."""
    known = sorted((row for row in rows if row["value"] is not None), key=_size)
    ends = [end for row in known for end in (row["value"], row["ci_low"], row["ci_high"])]
    frame = Frame(size_axis("parameters", map(_size, rows)), number_axis("", ends))
    marks = []
    for kind, (what, dash, look) in LINES.items():
        marks += _line([row for row in known if row["kind"] == kind], frame, what, dash, look)
    told = [_hover(row, LINES[row["kind"]][0]) for row in known]
    return Figure(name, svg(frame.width, frame.height, f"{name} against size", told, frame.drawn(), *marks))


def _size(row: Row) -> float:
    return float(row["at"])


def _line(rows: Sequence[Row], frame: Frame, what: str, dash: str, look: Look) -> list[Element]:
    if not rows:
        return []
    ends = [
        whisker(frame.at(_size(row), row["ci_low"]), frame.at(_size(row), row["ci_high"]), look)
        for row in rows
        if row["ci_low"] is not None and row["ci_high"] is not None
    ]
    places = [frame.at(_size(row), row["value"]) for row in rows]
    dots = [point(at, look, _hover(row, what), 4) for at, row in zip(places, rows, strict=True)]
    return [line(places, look, dash), *ends, *dots]


def _hover(row: Row, what: str) -> str:
    ends = "" if row["ci_low"] is None else f" ({row['ci_low']:.3f} to {row['ci_high']:.3f})"
    named = f"{one_line(row['model_a'])}, {in_units(_size(row))} parameters"
    return f"{row['value']:.3f}{ends} {what}\n{named}"


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


def _plane(rows: Sequence[Row], figures: Sequence[Figure]) -> Table:
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
    return Table("Performance and faithfulness over tasks", note, names, 2, lines, figures)


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
