"""A plan's work and time by stage: the chains and each probe of each model, over all tasks."""

from collections.abc import Sequence

from rich.table import Table

from cotfaith.cluster.cli.tables import human_count, new_table
from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.plan.hours import Hours

_NUMBERS = ("requests", "generated_tokens", "prompt_tokens")
_MINUTE, _HOUR = 60.0, 3600.0


def stage_table(hours: Hours) -> Table:
    """Return a line per model and stage, and their sum; "-" where the time is unknown."""
    heads = [*(name.replace("_", "\n") for name in _NUMBERS), "time"]
    table = new_table("By probe", ["model", "stage"], heads)
    groups: dict[tuple[str, str], list[Cost]] = {}
    for line in hours.lines:
        groups.setdefault((line.model, line.stage), []).append(line)
    for (model, stage), lines in groups.items():
        table.add_row(model, stage, *_cells(lines, hours))
    table.add_section()
    table.add_row("all", "", *_cells(hours.lines, hours))
    return table


def _cells(lines: Sequence[Cost], hours: Hours) -> list[str]:
    counts = [human_count(sum(getattr(line, name) for line in lines)) for name in _NUMBERS]
    known = [spent for line in lines if (spent := hours.seconds(line)) is not None]
    return [*counts, human_time(sum(known)) if known else "-"]


def human_time(seconds: float) -> str:
    """Return a duration in one unit: "40 s", "12 min", "3.4 h"."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 1.5 * _HOUR else f"{seconds / _HOUR:,.1f} h"
