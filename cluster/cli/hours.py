"""A plan's work and time by stage (the chains and each probe of each model, over all tasks), and by variant."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from cotfaith.cluster.cli.tables import human_count, new_table
from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.plan.hours import Hours

_NUMBERS = ("requests", "generated_tokens", "prompt_tokens")
_HEADS = [*(name.replace("_", "\n") for name in _NUMBERS), "time"]
_MINUTE, _HOUR = 60.0, 3600.0


def stage_table(hours: Hours) -> Table:
    """Return a line per model and stage, and their sum; "-" where the time is unknown."""
    table = new_table("By probe", ["model", "stage"], _HEADS)
    groups: dict[tuple[str, str], list[Cost]] = {}
    for line in hours.lines:
        groups.setdefault((line.model, line.stage), []).append(line)
    for (model, stage), lines in groups.items():
        table.add_row(model, stage, *_cells(lines, hours))
    table.add_section()
    table.add_row("all", "", *_cells(hours.lines, hours))
    return table


def variant_table(hours: Hours) -> Table:
    """Return a line per variant of the items, over all models, tasks and stages, and their sum."""
    table = new_table("By variant", ["variant"], _HEADS)
    for variant, lines in by_variant(hours.lines).items():
        table.add_row(variant, *_cells(lines, hours))
    table.add_section()
    table.add_row("all", *_cells(hours.lines, hours))
    return table


def variants_data(hours: Hours) -> list[dict[str, Any]]:
    """Return the same as plain data; the seconds are null if no model's speed is known."""
    return [
        {"variant": variant}
        | {name: sum(getattr(line, name) for line in lines) for name in _NUMBERS}
        | {"seconds": _seconds(lines, hours)}
        for variant, lines in by_variant(hours.lines).items()
    ]


def by_variant(lines: Sequence[Cost]) -> dict[str, list[Cost]]:
    """Return variant -> its lines, in their order."""
    groups: dict[str, list[Cost]] = {}
    for line in lines:
        groups.setdefault(line.variant, []).append(line)
    return groups


def _cells(lines: Sequence[Cost], hours: Hours) -> list[str]:
    counts = [human_count(sum(getattr(line, name) for line in lines)) for name in _NUMBERS]
    seconds = _seconds(lines, hours)
    return [*counts, "-" if seconds is None else human_time(seconds)]


def _seconds(lines: Sequence[Cost], hours: Hours) -> float | None:
    """Return the seconds of the lines whose model's speed is known; None if there are none."""
    known = [spent for line in lines if (spent := hours.seconds(line)) is not None]
    return sum(known) if known else None


def human_time(seconds: float) -> str:
    """Return a duration in one unit: "40 s", "12 min", "3.4 h"."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 1.5 * _HOUR else f"{seconds / _HOUR:,.1f} h"
