"""What fits a screen: a long table is shown in part, and what is left out is counted.

In: tables for a rich console. Knows nothing about what is in them.
"""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

MOST_LINES = 30
"""The most lines of a table that is not asked for in full."""


def height(table: Table, console: Console) -> int:
    """Return the lines that the table takes."""
    return len(console.render_lines(table, pad=False))


def fits(table: Table, console: Console, most: int = MOST_LINES) -> bool:
    """Return whether the table takes at most ``most`` lines."""
    return table.row_count <= most and height(table, console) <= most


def print_first(make: Callable[[int], Table], n: int, console: Console, more: str, most: int = MOST_LINES) -> None:
    """Print the table of as many of the first of ``n`` rows as fit, and how many are left out.

    ``make``: returns the table of the first k rows; one row is always shown. ``more``: what rows are called, and how to
    see the others.
    """
    shown = min(n, most)
    while shown > 1 and not fits(make(shown), console, most):
        shown -= 1
    console.print(make(shown))
    if shown < n:
        console.print(f"... and {n - shown:,} more {more}", markup=False)
