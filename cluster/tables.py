"""The tables that the command line prints."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from rich.table import Table

from cotfaith.cluster.plan import Cost


def cost_table(costs: Sequence[Cost]) -> Table:
    """Return a line per model and task, and their sum."""
    table = Table("model", "task", title="Plan")
    numbers = ("items", "shards", "requests", "generated_tokens", "prompt_tokens", "distinct_tokens")
    for name in numbers:
        table.add_column(name.replace("_", " "), justify="right")
    for cost in costs:
        table.add_row(cost.model, cost.task, *(f"{getattr(cost, name):,}" for name in numbers))
    table.add_section()
    table.add_row("all", "", *(f"{sum(getattr(cost, name) for cost in costs):,}" for name in numbers))
    return table


def status_table(run: dict[str, Any], commits: Sequence[dict[str, Any]]) -> Table:
    """Return, per model, task and stage, the shards committed and the rows by status."""
    table = Table("model", "task", "stage", title=f"Run {run['run_id']}, begun {run['created']}")
    for name in ("shards", "rows", "ok"):
        table.add_column(name, justify="right")
    table.add_column("not ok")
    for model in run["identity"]["models"]:
        for task, n_items in run["n_items"].items():
            total = -(-n_items // run["shard_size"])
            for stage in (None, *run["identity"]["probes"]):
                own = [c for c in commits if (c["model"], c["task"], c["probe"]) == (model, task, stage)]
                table.add_row(model, task, stage or "chains", f"{len(own)}/{total}", *_statuses(own))
    return table


def _statuses(commits: Sequence[dict[str, Any]]) -> tuple[str, str, str]:
    counts: Counter[str] = Counter()
    for commit in commits:
        counts.update(commit["statuses"])
    failed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if status != "ok")
    return f"{counts.total():,}", f"{counts['ok']:,}", failed or "-"


def summary_table(estimates: pa.Table) -> Table:
    """Return a line per model and task: accuracies, same answer, AOC, each with its interval."""
    from cotfaith.cluster.aggregate import summary

    table = Table("model", "task", title="Estimates, with 95% intervals (bootstrap over items)")
    columns = {
        "accuracy_no_cot": "accuracy\nno chain",
        "accuracy_cot": "accuracy\nwith chain",
        "same_answer_no_cot": "same answer\nwithout",
        "aoc": "AOC early\nanswering",
    }
    for title in (*columns.values(), "chains\nok"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in summary(estimates):
        cells = (_interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in columns)
        table.add_row(row["model"], row["task"], *cells, f"{row['n_ok']}/{row['n_total']}")
    return table


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if low is None else f"{value:.2f}\n[{low:.2f}, {high:.2f}]"
