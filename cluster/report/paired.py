"""The figure of two metrics next to each other, such as accuracy without and with a chain, as a plain plotly dict.

In: estimates, chance accuracy, and the drawings in a probe's words. Out: one ``Figure`` with a dumbbell for each task
and model. Every text in it is HTML-escaped.
"""

from typing import Any

from cotfaith.cluster.report.figures import Figure, base_layout, error_bar, find, named_lines
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Paired


def paired_figure(
    rows: list[Estimate], colours: dict[str, str], chance: dict[str, float], paired: Paired
) -> Figure | None:
    """Return a dumbbell for each task and model: ``before`` (open) and ``after`` (filled)."""
    names = sorted({(r.task, r.series) for r in rows if r.metric == paired.after}, reverse=True)
    if not names:
        return None
    data: list[dict[str, Any]] = []
    for at, (task, series) in enumerate(names):
        before, after = side_by_side(rows, series, task, paired)
        if task in chance:
            data.append(_chance(chance[task], at))
        if before and after:
            data.append(_bar(colours[series], before, after, at))
        sides = zip((before, after), (False, True), paired.labels, strict=True)
        data += [_dot(row, colours[series], at, filled, label) for row, filled, label in sides if row]
    layout = base_layout(paired.x, "")
    layout["xaxis"] |= {"range": [-0.02, 1.02], "tickformat": ".0%"}
    return Figure("", 90 + 46 * len(names), {"data": data, "layout": named_lines(layout, names, colours)})


def side_by_side(
    rows: list[Estimate], series: str, task: str, paired: Paired
) -> tuple[Estimate | None, Estimate | None]:
    """Return before and after on the same rows; only one of them if they cannot be compared."""
    before, after = (find(rows, series, task, metric, paired.method) for metric in (paired.before, paired.after))
    if before is not None and after is not None:
        return before, after
    after = find(rows, series, task, paired.after)
    return (None, after) if after else (find(rows, series, task, paired.before), None)


def _dot(row: Estimate, colour: str, at: int, filled: bool, label: str) -> dict[str, Any]:
    return {
        "x": [row.value],
        "y": [at + (0.1 if filled else -0.1)],
        "mode": "markers",
        "marker": {"color": colour, "size": 10, "symbol": "circle" if filled else "circle-open", "line": {"width": 2}},
        "error_x": error_bar(row, colour),
        "hovertemplate": f"%{{x:.1%}} {label}<br>{row.n_ok} of {row.n_total} ok<extra></extra>",
    }


def _bar(colour: str, before: Estimate, after: Estimate, at: int) -> dict[str, Any]:
    line = {"color": colour, "width": 5}
    x, y = [before.value, after.value], [at - 0.1, at + 0.1]
    return {"x": x, "y": y, "mode": "lines", "line": line, "opacity": 0.25, "hoverinfo": "skip"}


def _chance(level: float, at: int) -> dict[str, Any]:
    line = {"color": "#999", "dash": "dot", "width": 1.5}
    hover = f"chance: {level:.0%}<extra></extra>"
    return {"x": [level] * 2, "y": [at - 0.38, at + 0.38], "mode": "lines", "line": line, "hovertemplate": hover}
