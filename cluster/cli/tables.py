"""The tables that the command line prints. At 80 columns no number is cut; long names fold and are never cut."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table

from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog
from cotfaith.schemas.run_objects import PieceName, RunRecord
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


def status_table(run: RunRecord, ledger: Ledger) -> Table:
    """Return, per model, task and stage, the shards that are done and the rows by status; readers' parts are shards."""
    title = f"Run {run.run_id}, begun {run.created}"
    table = new_table(title, ["model", "task", "stage"], ["shards", "rows", "ok"])
    table.add_column("not ok", no_wrap=True)
    not_asked = {(m, task.name) for task in run.spec.tasks for m in run.spec.subjects if not run.spec.answers(m, task)}
    for model in _subjects(run, ledger):
        for task in run.ranges:
            own = {shard: log for shard, log in ledger.logs.items() if (shard.model, shard.task) == (model, task)}
            for stage in (None, *run.identity.probes) if own or (model, task) not in not_asked else ():
                shards = run.n_shards(task) * len(_readers(run, stage, task, own.values()))
                done = sum(_done(run, stage, shard, log, own.values()) for shard, log in own.items())
                table.add_row(model, task, stage or "chains", f"{done}/{shards}", *_status_cells(stage, own.values()))
    return table


def _subjects(run: RunRecord, ledger: Ledger) -> list[str]:
    """Return the models with chains: those of the spec, and those of earlier specs."""
    subjects = {*run.spec.subjects, *(shard.model for shard in ledger.logs)}
    return [model for model in run.identity.models if model in subjects]


def _readers(run: RunRecord, stage: str | None, task: str, logs: Iterable[ShardLog]) -> set[str | None]:
    """Return who works on each shard in this stage: the subject (null), or the readers in the record or commits."""
    named = run.readers_of(stage, task) if stage is not None else []
    found = {piece.reader for log in logs for piece in log.pieces if piece.probe == stage}
    return ({*named, *found} - {None}) or {None}


def _done(run: RunRecord, stage: str | None, shard: Shard, log: ShardLog, logs: Iterable[ShardLog]) -> int:
    """Return by how many of its readers the shard's stage is done."""
    strategies = run.spec.strategies or list(run.identity.strategies)
    n, done = shard.stop - shard.start, 0
    for reader in _readers(run, stage, shard.task, logs):
        pieces = {PieceName(strategy, probe=stage, reader=reader) for strategy in strategies}
        pieces |= {piece for piece in log.pieces if (piece.probe, piece.reader) == (stage, reader)}
        done += all(len(log.live.get(piece, ())) == n for piece in pieces)
    return done


def _status_cells(stage: str | None, logs: Iterable[ShardLog]) -> tuple[str, str, str]:
    counts: Counter[str] = Counter()
    for log in logs:
        for piece in log.pieces:
            if piece.probe == stage:
                counts.update(log.statuses(piece))
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
