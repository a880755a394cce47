"""Tables of estimates: a line for each task and model, a cell for each column, ready to be printed.

In: estimates rows (dicts; ``model`` names the series). Out: dicts of texts. A null value is never shown as a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cotfaith.cluster.report.shortfalls import is_short

Unit = Literal["%", "points", ""]
Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: a metric that is no curve."""

    header: str
    metric: str
    method: str | None
    unit: Unit
    instead: tuple[str | None, ...] = ()
    """Methods that are shown where the first was not measured."""

    def names(self, row: Row) -> bool:
        """Return whether ``row`` belongs in this column."""
        methods = (self.method, *self.instead)
        return row["metric"] == self.metric and row["method"] in methods and row["position"] is None

    def of(self, found: Mapping[tuple[str, str, str, str | None], Row], task: str, model: str) -> Row | None:
        """Return the cell's estimate from those of all tasks, models, metrics and methods."""
        keys = ((task, model, self.metric, method) for method in (self.method, *self.instead))
        return next((found[key] for key in keys if key in found), None)


def table_rows(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Return task, model, cells and n_items for each task and model that has any of the columns."""
    found = {(r["task"], r["model"], r["metric"], r["method"]): r for r in rows if r["position"] is None}
    names = sorted({(r["task"], r["model"]) for r in rows if any(column.names(r) for column in columns)})
    table = []
    for task, model in names:
        estimates = [column.of(found, task, model) for column in columns]
        cells = [_cell(row, column.unit) for row, column in zip(estimates, columns, strict=True)]
        n_items = max((row["n_items"] for row in estimates if row), default=0)
        table.append({"task": task, "model": model, "cells": cells, "n_items": n_items})
    return table


def _cell(row: Row | None, unit: str) -> Row:
    if row is None:
        return {"value": None, "interval": "", "ok": "not measured", "without": "", "cases": ""}
    ok = f"{row['n_ok']}/{row['n_total']}"
    if row.get("n_arms"):
        ok += f", {row['n_arms_ok']}/{row['n_arms']} arms"
    if row["value"] is None:
        return {"value": None, "interval": "", "ok": ok, "without": "", "cases": ""}
    bounded = row["ci_low"] is not None
    return {
        "value": _show(row["value"], unit),
        "interval": f"{_show(row['ci_low'], unit)} to {_show(row['ci_high'], unit)}" if bounded else "no interval",
        "ok": ok,
        "without": _clear(row, unit),
        "cases": _cases(row, unit),
    }


def _clear(row: Row, unit: str) -> str:
    """Return the figure without near ties; "" where there were none in it."""
    if row.get("clear_n_ok") is None:
        return ""
    if row["clear_value"] is None:
        return "all near ties"
    return f"{_show(row['clear_value'], unit)} without near ties ({row['clear_n_ok']}/{row['n_total']})"


def _cases(row: Row, unit: str) -> str:
    """Return the worst and the best case of an estimate that lacks rows; "" for any other."""
    if not is_short(row) or row.get("least") is None:
        return ""
    return f"{_show(row['least'], unit)} to {_show(row['most'], unit)}"


def _show(value: float, unit: str) -> str:
    if unit == "points":
        return f"{100 * value:+.1f}"
    return f"{100 * value:.1f}%" if unit == "%" else f"{value:.3f}"
