"""The tables that the command line prints. At 80 columns no number is cut; long names fold and are never cut."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.storage.read import count_statuses
from cotfaith.schemas.run_objects import Commit, RunRecord
from cotfaith.schemas.status import Status


def cost_table(costs: Sequence[Cost], rates: Mapping[str, float]) -> Table:
    """Return a line per model and task, and their sum; hours if a model's tokens per second are known."""
    counts = ("items", "shards", "requests")
    tokens = ("generated_tokens", "prompt_tokens", "distinct_tokens")
    heads = [*counts, *(name.replace("_", "\n") for name in tokens), *(["hours"] if rates else [])]
    table = new_table("Plan", ["model", "task"], heads)
    for cost in costs:
        table.add_row(cost.model, cost.task, *_cells(counts, tokens, [cost]), *_hours([cost], rates))
    table.add_section()
    table.add_row("all", "", *_cells(counts, tokens, costs), *_hours(costs, rates))
    return table


def _cells(counts: Sequence[str], tokens: Sequence[str], costs: Sequence[Cost]) -> list[str]:
    sums = {name: sum(getattr(cost, name) for cost in costs) for name in (*counts, *tokens)}
    return [f"{sums[name]:,}" for name in counts] + [human_count(sums[name]) for name in tokens]


def _hours(costs: Sequence[Cost], rates: Mapping[str, float]) -> list[str]:
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


def status_table(run: RunRecord, commits: Sequence[Commit]) -> Table:
    """Return, per model, task and stage, the committed shards and the rows by status; readers' parts are shards."""
    title = f"Run {run.run_id}, begun {run.created}"
    table = new_table(title, ["model", "task", "stage"], ["shards", "rows", "ok"])
    table.add_column("not ok", no_wrap=True)
    for model in _subjects(run, commits):
        for task, n_items in run.n_items.items():
            shards = len(run.identity.strategies) * -(-n_items // run.shard_size)
            for stage in (None, *run.identity.probes):
                own = [c for c in commits if (c.model, c.task, c.probe) == (model, task, stage)]
                total = shards * _readers(run, stage, own)
                table.add_row(model, task, stage or "chains", f"{len(own)}/{total}", *_status_cells(own))
    return table


def _subjects(run: RunRecord, commits: Sequence[Commit]) -> list[str]:
    """Return the models with chains: those of the spec, and those of earlier specs."""
    subjects = {*run.spec.subjects, *(commit.model for commit in commits)}
    return [model for model in run.identity.models if model in subjects]


def _readers(run: RunRecord, stage: str | None, own: Sequence[Commit]) -> int:
    """Return how many models work on each shard in this stage: the subject, or the readers in the record or commits."""
    named = run.readers.get(stage, []) if stage is not None else []
    return max(1, len({*named, *(commit.reader for commit in own)} - {None}))


def _status_cells(commits: Sequence[Commit]) -> tuple[str, str, str]:
    counts = count_statuses(commits)
    return f"{counts.total():,}", f"{counts[Status.OK]:,}", failed_text(counts, "\n") or "-"


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
