"""The table of corrected rates in the terminal: what a reader says of the switches, and the same without its errors.

In: estimates of variants. Out: a table for a rich console, empty without labels. A rate without a value has its reason.
"""

from collections.abc import Sequence

from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.columns import by_name
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.words import reason
from cotfaith.cluster.terminal import safe_text

CORRECTED, TO_HALVE, RAW = "corrected_naming", "labels_to_halve", "hint_verbalised"


def corrected_table(rows: Sequence[Estimate]) -> Table:
    """Return a line per variant, task, reader and question with labels."""
    table = new_table("Switches said, corrected for their reader's errors", ["variant", "task", "reader"], [])
    for header in ("raw", "corrected", "labels to\nhalve it"):
        table.add_column(header, overflow="fold")
    found = by_name(rows)
    for task, series, _, method in sorted(name for name in found if name[2] == CORRECTED):
        cells = [_cell(found.get((task, series, metric, method))) for metric in (RAW, CORRECTED, TO_HALVE)]
        table.add_row(*map(safe_text, (series, task, method or "")), *cells)
    return table


def _cell(row: Estimate | None) -> str:
    if row is None or row.value is None:
        return "-" if row is None else reason(row.interval) or "-"
    if row.metric == TO_HALVE:
        return f"{row.value:,.0f} more"
    return f"{row.value:.0%}" if row.ci_low is None else f"{row.value:.0%}\n{row.ci_low:.0%}–{row.ci_high:.0%}"
