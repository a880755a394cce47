"""Tables of estimates: a line for each task and model, a cell for each column, ready to be printed.

In: estimates rows (dicts; ``model`` names the series). Out: dicts of texts. A null value is never shown as a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["%", "points", ""]
Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: a metric that is no curve."""

    header: str
    metric: str
    method: str | None
    unit: Unit

    def names(self, row: Row) -> bool:
        """Return whether ``row`` belongs in this column."""
        return (row["metric"], row["method"], row["position"]) == (self.metric, self.method, None)


def table_rows(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Return task, model, cells and n_items for each task and model that has any of the columns."""
    found = {(r["task"], r["model"], r["metric"], r["method"]): r for r in rows if r["position"] is None}
    names = sorted({(r["task"], r["model"]) for r in rows if any(column.names(r) for column in columns)})
    table = []
    for task, model in names:
        estimates = [found.get((task, model, column.metric, column.method)) for column in columns]
        cells = [_cell(row, column.unit) for row, column in zip(estimates, columns, strict=True)]
        n_items = max((row["n_items"] for row in estimates if row), default=0)
        table.append({"task": task, "model": model, "cells": cells, "n_items": n_items})
    return table


def _cell(row: Row | None, unit: str) -> Row:
    if row is None:
        return {"value": None, "interval": "", "ok": "not measured", "without": ""}
    ok = f"{row['n_ok']}/{row['n_total']}"
    if row["value"] is None:
        return {"value": None, "interval": "", "ok": ok, "without": ""}
    bounded = row["ci_low"] is not None
    interval = f"{_show(row['ci_low'], unit)} to {_show(row['ci_high'], unit)}" if bounded else "no interval"
    return {"value": _show(row["value"], unit), "interval": interval, "ok": ok, "without": _clear(row, unit)}


def _clear(row: Row, unit: str) -> str:
    """Return the figure without near ties; "" where there were none in it."""
    if row.get("clear_n_ok") is None:
        return ""
    if row["clear_value"] is None:
        return "all near ties"
    return f"{_show(row['clear_value'], unit)} without near ties ({row['clear_n_ok']}/{row['n_total']})"


def _show(value: float, unit: str) -> str:
    if unit == "points":
        return f"{100 * value:+.1f}"
    return f"{100 * value:.1f}%" if unit == "%" else f"{value:.3f}"
