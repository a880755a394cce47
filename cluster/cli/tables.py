"""The tables that the command line prints. At 80 columns no number is cut; long names fold and are never cut."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from cotfaith.schemas.status import Status

if TYPE_CHECKING:
    from cotfaith.cluster.plan.costs import Cost

TOKENS = ("generated_tokens", "prompt_tokens", "distinct_tokens")


def cost_table(costs: "Sequence[Cost]", rates: Mapping[str, float]) -> Table:
    """Return a line per model and task, and their sum; hours if a model's tokens per second are known."""
    counts = ("items", "shards", "requests")
    table = new_table("Plan", ["model", "task"], _heads(counts, rates))
    for cost in costs:
        table.add_row(cost.model, cost.task, *_cells(counts, [cost], rates))
    table.add_section()
    table.add_row("all", "", *_cells(counts, costs, rates))
    return table


def cost_by_model(costs: "Sequence[Cost]", rates: Mapping[str, float], n: int | None = None) -> Table:
    """Return a line per model, the most tokens first, at most ``n``, and the sum of all."""
    counts = ("requests",)
    own: defaultdict[str, list[Cost]] = defaultdict(list)
    for cost in costs:
        own[cost.model].append(cost)
    table = new_table("Plan, by model, the most tokens first", ["model"], ["tasks", *_heads(counts, rates)])
    ordered = sorted(own.items(), key=lambda pair: (-sum(cost.tokens for cost in pair[1]), pair[0]))
    for model, lines in ordered[:n]:
        table.add_row(model, str(len(lines)), *_cells(counts, lines, rates))
    table.add_section()
    table.add_row("all", "", *_cells(counts, costs, rates))
    return table


def _heads(counts: Sequence[str], rates: Mapping[str, float]) -> list[str]:
    return [*counts, *(name.replace("_", "\n") for name in TOKENS), *(["hours"] if rates else [])]


def _cells(counts: Sequence[str], costs: "Sequence[Cost]", rates: Mapping[str, float]) -> list[str]:
    sums = {name: sum(getattr(cost, name) for cost in costs) for name in (*counts, *TOKENS)}
    return [
        *(f"{sums[name]:,}" for name in counts),
        *(human_count(sums[name]) for name in TOKENS),
        *_hours(costs, rates),
    ]


def _hours(costs: "Sequence[Cost]", rates: Mapping[str, float]) -> list[str]:
    """Return the cell: the sum over the models with a known rate, "-" if there is none."""
    if not rates:
        return []
    known = [cost.tokens / rates[cost.model] / 3600 for cost in costs if cost.model in rates]
    return [f"{sum(known):,.3g}" if sum(known) < 100 else f"{sum(known):,.0f}"] if known else ["-"]


def human_count(number: int) -> str:
    """Return ``number`` in at most seven characters: whole below a million, else with four digits and M, G, T or P."""
    if number < 1_000_000:
        return f"{number:,}"
    value, unit = number / 1e6, "M"
    for larger in "GTP":
        if value >= 999.95:  # would be shown as 1000
            value, unit = value / 1000, larger
    return f"{value:.4g}{unit}"


def failed_text(counts: Counter[str], separator: str = ", ") -> str:
    """Return the rows that are not ok, such as "3 truncated, 1 unparsed"."""
    return separator.join(f"{count:,} {status}" for status, count in sorted(counts.items()) if status != Status.OK)


def new_table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """Return an empty table: columns of names, which fold, then columns of numbers, which do not."""
    table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table
