"""The tables in the terminal with a line for each method of a section's columns, such as each monitor.

In: estimates of variants. Out: tables for a rich console, one for each section whose words ask for lines. A figure
without a value has its reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.columns import by_name, find_estimate, method_parts, method_rows
from cotfaith.cluster.report.spoken import variant_parts
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.words import Part, reason
from cotfaith.cluster.terminal import safe_text


def method_tables(rows: Sequence[Estimate]) -> Iterator[Table]:
    """Yield a table with a line per variant, task and method for each section with figures."""
    for part in variant_parts():
        if part.section.lines_of and (table := _table(part, rows)).row_count:
            yield table


def _table(part: Part, rows: Sequence[Estimate]) -> Table:
    columns, found = [column for column in part.columns if column.terminal], by_name(rows)
    table = new_table(part.section.title, ["variant", "task", part.section.lines_of.lower()], [])
    for column in columns:
        table.add_column(column.terminal, overflow="fold")
    before = None
    for line in method_rows(rows, columns):
        own = [replace(column, method=line.method) for column in columns]
        cells = [_cell(find_estimate(column, found, line.task, line.model)) for column in own]
        names = (line.model, line.task)
        shown = ("", "") if names == before else names
        table.add_row(*map(safe_text, (*shown, _name(line.method))), *cells)
        before = names
    return table


def _name(method: str) -> str:
    """Return who reads, and below what they were asked, which can be folded."""
    reader, asked = method_parts(method)
    return "\n".join(filter(None, [reader, asked.replace("/", ", ")]))


def _cell(row: Estimate | None) -> str:
    if row is None or row.value is None:
        return "-" if row is None else reason(row.interval) or "-"
    return f"{row.value:z.2f}" if row.ci_low is None else f"{row.value:z.2f}\n{row.ci_low:z.2f}–{row.ci_high:z.2f}"
