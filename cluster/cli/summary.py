"""Prints a run's estimates, and which of them rest on too few rows."""

import pyarrow as pa
from rich.console import Console

from cotfaith.cluster.cli.estimate_tables import shortfall_table, summary_table
from cotfaith.cluster.cli.imported import print_imported
from cotfaith.cluster.report.shortfalls import shortfalls
from cotfaith.cluster.stats.estimates import read_estimates


def summarise(estimates: pa.Table, console: Console) -> None:
    """Print the estimates' tables."""
    print_imported(read_estimates(estimates), console)
    console.print(summary_table(estimates))
    if short := shortfalls(read_estimates(estimates)):
        console.print()
        console.print(shortfall_table(short))
