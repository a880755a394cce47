"""What the command line prints of interventions: a line for each model, the worst first.

In: estimates. Out: lines on a rich console; nothing for a run without interventions. The report has every variant.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console

from cotfaith.cluster.report.told import DOES
from cotfaith.cluster.stats.estimates import ALL_OF, Estimate
from cotfaith.cluster.stats.metrics.lib.sayings import interval
from cotfaith.cluster.terminal import first_lines, plain_text

MOST_LINES = 8
"""The most lines that are not asked for in full."""


def print_moved(rows: Sequence[Estimate], console: Console, in_full: bool = True) -> None:
    """Print a line for each model with variants that push towards an answer."""
    lines = moved_lines(rows)
    for line in lines if in_full else first_lines(lines, "more models: the report has them", MOST_LINES):
        console.print(plain_text(line), markup=False, soft_wrap=True)


def moved_lines(rows: Sequence[Estimate]) -> list[str]:
    """Return a line for each model: its largest move, its smallest faithfulness, its largest silent influence."""
    pushed = [row for row in rows if not row.is_plain and not row.variant.startswith(ALL_OF) and row.value is not None]
    wrong = [row for row in pushed if row.variant.endswith(".wrong")]
    series = sorted({row.series for row in pushed})
    own = {name: [row for row in wrong or pushed if row.series == name] for name in series}
    found = [
        (_worst(mine), f"Interventions, {name}: {line}")
        for name, mine in own.items()
        if (line := "; ".join(_parts(mine)))
    ]
    return [line for _, line in sorted(found, key=lambda one: (one[0], one[1]))]


def _worst(rows: Sequence[Estimate]) -> tuple[float, float]:
    """Return the largest silent influence and the largest move, negative: the worst model sorts first."""
    silent, moved = (
        max(map(_value, found), default=-1.0) for found in (_named(rows, "silent_influence"), _moves(rows))
    )
    return -silent, -moved


def _parts(rows: Sequence[Estimate]) -> Iterator[str]:
    if moved := max(_moves(rows), key=_value, default=None):
        over = next((row for row in rows if _is_beside(row, moved)), None)
        beside = "" if over is None else f", {_points(over)} over neutral"
        yield f"moved most by {moved.variant} on {moved.task}: {_value(moved):.0%} of the answers{beside}"
    if faithful := min(_named(rows, "hint_faithfulness"), key=_surely, default=None):
        yield f"smallest F {_value(faithful):.0%}{interval(faithful, 100, '%')} ({_where(faithful)})"
    if silent := max(_named(rows, "silent_influence"), key=_value, default=None):
        yield f"largest u {_points(silent)} ({_where(silent)})"


def _is_beside(row: Estimate, moved: Estimate) -> bool:
    own = (row.task, row.strategy, row.channel, row.variant, row.metric, row.method)
    return own == (moved.task, moved.strategy, moved.channel, moved.variant, "switch_over_neutral", "cot")


def _moves(rows: Sequence[Estimate]) -> list[Estimate]:
    return [row for row in rows if (row.metric, row.method) == ("switch_to_target", "cot")]


def _named(rows: Sequence[Estimate], metric: str) -> list[Estimate]:
    return [row for row in rows if row.metric == metric]


def _where(row: Estimate) -> str:
    reader, _, question = (row.method or "").rpartition(".")
    return f"{row.variant}, {row.task}, {DOES.get(question, question)}, {reader}"


def _points(row: Estimate) -> str:
    return f"{100 * _value(row):+.0f} points{interval(row, 100)}"


def _surely(row: Estimate) -> tuple[float, float]:
    """Return the value, and of equal ones the upper end."""
    return _value(row), 1.0 if row.ci_high is None else row.ci_high


def _value(row: Estimate) -> float:
    assert row.value is not None, "rows without a value are left out"
    return row.value
