"""The tables of ``cotfaith status``: every stage, or a line per model.

In: stages. Out: tables for a rich console.
"""

from collections.abc import Sequence

from rich.table import Table

from cotfaith.cluster.cli.stages import Stage
from cotfaith.cluster.cli.tables import failed_text, new_table
from cotfaith.schemas.status import Status


def status_table(title: str, found: Sequence[Stage]) -> Table:
    """Return, per model, task and stage, the shards that are done and the rows by status."""
    table = new_table(title, ["model", "task", "stage"], ["shards", "rows", "ok"])
    table.add_column("not ok", no_wrap=True)
    for one in found:
        table.add_row(one.model, one.task, one.stage, *_cells(one))
    return table


def models_table(title: str, found: Sequence[Stage]) -> Table:
    """Return the same per model; the shards of all stages count."""
    table = new_table(f"{title}; by model, the worst first", ["model", "of"], ["shards", "rows", "ok", "failed"])
    table.add_column("not ok", no_wrap=True)
    for one in found:
        *counts, statuses = _cells(one)
        table.add_row(one.model, one.task, *counts, f"{one.failed:.1%}", statuses)
    return table


def _cells(one: Stage) -> tuple[str, str, str, str]:
    rows, ok = one.statuses.total(), one.statuses[Status.OK]
    return f"{one.done:,}/{one.shards:,}", f"{rows:,}", f"{ok:,}", failed_text(one.statuses, "\n") or "-"
