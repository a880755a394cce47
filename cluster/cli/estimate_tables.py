"""The tables of estimates that the command line prints: a run's estimates, and those that rest on too few rows.

In: a table in the ESTIMATES schema, or shortfalls. Out: tables for a rich console.
"""

from collections.abc import Sequence

import pyarrow as pa
from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.columns import by_name, find_estimate
from cotfaith.cluster.report.shortfalls import Shortfall
from cotfaith.cluster.report.spoken import first_columns
from cotfaith.cluster.stats.estimates import Estimate, read_estimates
from cotfaith.cluster.terminal import safe_text


def summary_table(estimates: pa.Table) -> Table:
    """Return a line per model, task and strategy: accuracies, same answer, AOC, each with its interval.

    If some answers are near ties, a second line gives the figures without them: "-" if no answers are left, "" if
    leaving them out changes nothing.
    """
    columns = [column for column in first_columns() if column.terminal]
    title = "Estimates, with 95% intervals (bootstrap over items)"
    table = new_table(title, ["model", "task"], [*(column.terminal for column in columns), "chains\nok"])
    rows = read_estimates(estimates)
    found = by_name(rows)
    for _, task, _, series in sorted({(row.model, row.task, row.strategy, row.series) for row in rows}):
        cells = [find_estimate(column, found, task, series) for column in columns]
        chains = found.get((task, series, "accuracy_cot", None))
        table.add_row(series, task, *map(_interval, cells), f"{chains.n_ok}/{chains.n_total}" if chains else "0/0")
        if any(cell is not None and cell.clear_n_ok is not None for cell in cells):
            ties = found[task, series, "near_tie_share", None].value or 0.0
            table.add_row("", f"without near ties ({ties:.0%})", *map(_clear, cells), "")
    return table


def _clear(row: Estimate | None) -> str:
    if row is None or row.clear_n_ok is None:
        return ""
    return "-" if row.clear_value is None else f"{row.clear_value:z.2f}"


def shortfall_table(found: Sequence[Shortfall]) -> Table:
    """Return a line for each estimate that lacks rows and is not a curve, with its worst and its best case."""
    curves = sum(one.is_curve for one in found)
    title = "Figures on less than 95% of their rows or arms; range: worst and best case of those that failed"
    table = new_table(title, ["model", "task", "figure"], ["value", "counted", "range"])
    if curves:
        table.caption = f"And {curves} by position: the report lists them under each model and task."
    for one in (one for one in found if not one.is_curve):
        counted = one.rests_on.replace(", ", "\n")
        table.add_row(safe_text(one.series), safe_text(one.task), safe_text(one.name), one.shown, counted, one.cases)
    return table


def _interval(row: Estimate | None) -> str:
    if row is not None and row.withheld is not None:
        return "withheld"
    if row is None or row.value is None:
        return "-"
    return f"{row.value:z.2f}" if row.ci_low is None else f"{row.value:z.2f}\n{row.ci_low:z.2f}–{row.ci_high:z.2f}"
