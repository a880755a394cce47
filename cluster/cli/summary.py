"""Prints a run's estimates, and which of them rest on too few rows; by model, if there are too many for a screen."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.corrected_table import corrected_table
from cotfaith.cluster.cli.estimate_tables import (
    models_table,
    n_series,
    shortfall_table,
    shown_columns,
    summary_table,
    variants_table,
)
from cotfaith.cluster.cli.fit import MOST_LINES, fits, height, print_first
from cotfaith.cluster.cli.imported import print_imported
from cotfaith.cluster.cli.method_tables import method_tables
from cotfaith.cluster.cli.moved_lines import print_moved
from cotfaith.cluster.cli.necessity_table import necessity_table
from cotfaith.cluster.cli.view import View
from cotfaith.cluster.report.columns import in_column
from cotfaith.cluster.report.shortfalls import shortfalls
from cotfaith.cluster.report.spoken import variant_columns
from cotfaith.cluster.stats.estimates import Estimate, by_kind, plain
from cotfaith.cluster.stats.metrics.lib.recorded import AGREEMENT
from cotfaith.cluster.stats.metrics.lib.words import Column
from cotfaith.cluster.storage.completeness import Group
from cotfaith.schemas.run_objects import SerialDepth

ABOUT = (
    "model",
    "task",
    "strategy",
    "variant",
    "channel",
    "metric",
    "method",
    "value",
    "ci_low",
    "ci_high",
    "n_ok",
    "n_total",
    "n_items",
    "withheld",
)
"""The columns of ESTIMATES that JSON output has."""


def summarise(
    rows: Sequence[Estimate],
    console: Console,
    shown: View,
    missing: Mapping[Group, int],
    depths: Mapping[str, SerialDepth] = MappingProxyType({}),
) -> None:
    """Print the estimates of the models and tasks shown, plain and of variants.

    ``missing``: shards not done. ``depths``: model -> its serial depth.
    """
    every = [row for row in rows if shown.shows(row.model, row.task)]
    rows = plain(every)
    table = summary_table(rows)
    print_imported(rows, console, shown.in_full)
    if shown.in_full or fits(table, console):
        console.print(table)
        _print_shortfalls(rows, console, None if shown.in_full else MOST_LINES + 10 - height(table, console))
    else:
        print_first(lambda n: models_table(rows, missing, n), n_series(rows), console, "models: --details")
        console.print("Each model and task: --details; some of them: cotfaith aggregate RUN --model M --task T")
    if shown.in_full and (needs := necessity_table(rows, depths)).row_count:
        console.print()
        console.print(needs)
    print_moved(every, console, shown.in_full)
    _print_variants(by_kind(every)["variants"], console, shown.in_full)


def _print_variants(rows: Sequence[Estimate], console: Console, in_full: bool) -> None:
    """Print the estimates of the variants, if there are any and they fit or are asked for."""
    if (table := variants_table(rows)).row_count:
        _print(table, f"{table.row_count:,} variants: --details", console, in_full)
    for table in method_tables(rows):
        _print(table, f"{table.title}: --details", console, in_full)
    if (corrected := corrected_table(rows)).row_count:
        _print(corrected, "Corrected rates: --details", console, in_full)


def _print(table: Table, instead: str, console: Console, in_full: bool) -> None:
    """Print the table, or ``instead`` if it does not fit and is not asked for."""
    console.print()
    console.print(table if in_full or fits(table, console) else instead)


def _print_shortfalls(rows: Sequence[Estimate], console: Console, most: int | None) -> None:
    if not (short := shortfalls(rows)):
        return
    console.print()
    n = sum(not one.is_curve for one in short)
    if most is None:
        console.print(shortfall_table(short))
    else:
        print_first(lambda k: shortfall_table(short, k), n, console, "figures: --details", most)


def headline_data(rows: Sequence[Estimate], shown: View) -> list[Mapping[str, Any]]:
    """Return what the tables show as plain data, with the report's figures of variants: an entry for each figure."""
    columns = shown_columns()
    known = [row for row in plain(rows) if row.metric == AGREEMENT.name or _is_in(row, columns)]
    known += [row for row in rows if not row.is_plain and _is_in(row, variant_columns())]
    return [{name: getattr(row, name) for name in ABOUT} for row in known if shown.shows(row.model, row.task)]


def _is_in(row: Estimate, columns: Sequence[Column]) -> bool:
    return any(in_column(row, column) for column in columns)
