"""Tables of estimates: a line for each task and model, a cell for each column, ready to be printed.

In: estimates, and the columns that the probes' words name. Out: lines of text. A null value is never shown as a number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from cotfaith.cluster.report.shortfalls import is_short
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.words import EACH, Column, reason

SHORT_REASON = 30
"""The most characters of a reason that a cell shows."""
ByName = Mapping[tuple[str, str, str, str | None], Estimate]
"""(task, series, metric, method) -> estimate."""


@dataclass(frozen=True)
class Cell:
    """One estimate as text; missing parts are ""."""

    value: str | None
    """None: not measured, withheld, or no row was ok."""
    ok: str
    """The number of ok rows, and of all rows."""
    interval: str = ""
    without: str = ""
    """The value without near ties."""
    cases: str = ""
    """The worst and the best case of an estimate with too many failed rows."""


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    task: str
    model: str
    cells: Sequence[Cell]
    n_items: int
    method: str = ""
    """The method that the line is of, if each has a line; "": the columns name theirs."""


def in_column(row: Estimate, column: Column) -> bool:
    """Return whether ``row`` belongs in the column."""
    methods = (column.method, *column.instead)
    known = row.method in methods or column.method == EACH
    return row.metric == column.metric and known and row.position is None


def each(columns: Iterable[Column], rows: Sequence[Estimate]) -> list[Column]:
    """Return the columns that were measured, one for each method where a column asks for that."""
    found = list[Column]()
    for column in columns:
        own = sorted({row.method or "" for row in rows if in_column(row, column)})
        if column.method == EACH:
            found += [_under(column, name) for name in own]
        elif own:
            found.append(column)
    return found


def _under(column: Column, method: str) -> Column:
    """Return the column with one method, which its headers name."""
    terminal = "\n".join([column.terminal, *filter(None, method_parts(method))]) if column.terminal else ""
    return replace(column, header=f"{column.header} ({method})", method=method, terminal=terminal)


def method_parts(method: str) -> tuple[str, str]:
    """Return the reader that a method names, whose name may have dots, and what is after it."""
    reader, _, asked = method.rpartition(".")
    return reader, asked


def table_rows(rows: Sequence[Estimate], columns: Sequence[Column], first: str = "") -> list[Line]:
    """Return a line for each task and model with at least one of the columns.

    ``first``: the metric whose smallest value is in the first line; lines without a value are last.
    """
    found = by_name(rows)
    return [_line(found, columns, *name) for name in line_names(rows, columns, first)]


def method_rows(rows: Sequence[Estimate], columns: Sequence[Column], first: str = "") -> list[Line]:
    """Return the same with a line for each method of the columns, which are all ``EACH``."""
    found = by_name(rows)
    own = {(row.task, row.series, row.method or "") for row in rows if any(row.metric == c.metric for c in columns)}
    return [
        _line(found, [replace(column, method=method) for column in columns], task, series, method)
        for task, series in line_names(rows, columns, first)
        for method in sorted(name for of_task, of_series, name in own if (of_task, of_series) == (task, series))
    ]


def _line(found: ByName, columns: Sequence[Column], task: str, series: str, method: str = "") -> Line:
    estimates = [find_estimate(column, found, task, series) for column in columns]
    cells = [shown_cell(row, column.unit) for row, column in zip(estimates, columns, strict=True)]
    return Line(task, series, cells, max((row.n_items for row in estimates if row), default=0), method)


def line_names(rows: Sequence[Estimate], columns: Sequence[Column], first: str = "") -> list[tuple[str, str]]:
    """Return (task, series) of each line of ``table_rows``, in order."""
    order = smallest_of(rows, first)
    names = {(r.task, r.series) for r in rows if any(in_column(r, column) for column in columns)}
    return sorted(names, key=lambda name: (order.get(name, inf), name))


def smallest_of(rows: Iterable[Estimate], metric: str) -> dict[tuple[str, str], float]:
    """Return (task, series) -> the smallest value of the metric under any method."""
    found = dict[tuple[str, str], float]()
    for row in rows:
        if row.metric == metric and row.value is not None:
            found[row.task, row.series] = min(row.value, found.get((row.task, row.series), inf))
    return found


def by_name(rows: Iterable[Estimate]) -> ByName:
    """Index the estimates that are not part of a curve."""
    return {(r.task, r.series, r.metric, r.method): r for r in rows if r.position is None}


def find_estimate(column: Column, found: ByName, task: str, series: str) -> Estimate | None:
    """Return the estimate for the column in one task and series; None if there is none."""
    keys = ((task, series, column.metric, method) for method in (column.method, *column.instead))
    return next((found[key] for key in keys if key in found), None)


def shown_cell(row: Estimate | None, unit: str) -> Cell:
    """Return the estimate as a cell; None: it was not measured."""
    if row is None:
        return Cell(None, "not measured")
    if row.withheld is not None:
        return Cell(None, f"withheld: {row.withheld}" if len(row.withheld) <= SHORT_REASON else "withheld")
    ok = f"{row.n_ok}/{row.n_total}"
    if row.n_arms:
        ok += f", {row.n_arms_ok}/{row.n_arms} arms"
    if row.value is None:
        return Cell(None, ", ".join([ok, *([why] if (why := reason(row.interval)) else [])]))
    return Cell(_show(row.value, unit), ok, _interval(row, unit), _clear(row, unit), _cases(row, unit))


def _interval(row: Estimate, unit: str) -> str:
    if row.ci_low is None or row.ci_high is None:
        return "no interval"
    return f"{_show(row.ci_low, unit)} to {_show(row.ci_high, unit)}"


def _clear(row: Estimate, unit: str) -> str:
    """Return the value without near ties; "" if the estimate has none."""
    if row.clear_n_ok is None:
        return ""
    if row.clear_value is None:
        return "all near ties"
    return f"{_show(row.clear_value, unit)} without near ties ({row.clear_n_ok}/{row.n_total})"


def _cases(row: Estimate, unit: str) -> str:
    """Return the worst and the best case of an estimate with too many failed rows; "" for any other."""
    if not is_short(row) or row.least is None or row.most is None:
        return ""
    return f"{_show(row.least, unit)} to {_show(row.most, unit)}"


def _show(value: float, unit: str) -> str:
    if unit == "points":
        return f"{100 * value:+.1f}"
    if unit == "labels":
        return f"{value:,.0f}"
    return f"{100 * value:.1f}%" if unit == "%" else f"{value:.3f}"
