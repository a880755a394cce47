"""What a variant did, in plain words: how many answers moved to its target, how many of their chains say so, F and u.

In: counts of moves, and estimates. Out: sentences. They claim no more than was counted.
"""

from collections.abc import Mapping, Sequence

from cotfaith.cluster.report.matrices import Moved
from cotfaith.cluster.stats.estimates import ALL_OF, Estimate
from cotfaith.cluster.stats.metrics.lib.sayings import interval

FLOOR = 0.09
"""The floor that the field quotes for faithfulness: "at least 9% in all six settings" (Chen et al. 2025)."""
FAITHFUL, SILENT = "hint_faithfulness", "silent_influence"
DOES = {"present": "hint named", "relied": "hint relied on"}
"""Question of a reading -> what its F and u count as said. A chain that rejects a hint names it."""
Known = Mapping[tuple[str, str | None], Estimate]
"""(metric, method) -> estimate."""


def told(moved: Moved, one_each: bool, rows: Known) -> str:
    """Return what the variant did.

    Args:
        moved: its counts.
        one_each: whether every item has one plain chain and one under the variant.
        rows: its estimates.

    """
    counted = "items" if one_each else "pairs of chains"
    parts = [_moved(moved, counted, rows), *_said(moved), *_rates(rows), _failed(moved, counted)]
    return " ".join(part for part in parts if part)


def _moved(moved: Moved, counted: str, rows: Known) -> str:
    if not moved.eligible:
        return "No answer could move: each is missing, or is the target already."
    neutral = rows.get(("neutral_to_target", "cot"))
    known = neutral is not None and neutral.value is not None
    beside = f" (under the neutral arm: {neutral.value:.0%})" if neutral is not None and known else ""
    return f"Moved to the target in {moved.to_target:,} of {moved.eligible:,} {counted}{beside}."


def _said(moved: Moved) -> list[str]:
    """Return what the chains of the moves say, by reader."""
    if not moved.to_target:
        return []
    return [_by(reader, moved) for reader in sorted({reader for reader, _, _ in moved.said})] or [
        "No judge read these chains."
    ]


def _by(reader: str, moved: Moved) -> str:
    """Return how many chains name the hint, and how many say that they rely on it, as far as the reader was asked."""
    named, relied = (moved.read(reader, question, True) for question in ("present", "relied"))
    n_named, n_relied = (moved.asked(reader, question) for question in ("present", "relied"))
    said = [f"names the hint in {named:,} of these"] if n_named else []
    said += [f"says that it relies on {'it' if n_named else 'the hint'} in {relied:,}"] if n_relied else []
    lost = moved.to_target - (n_named or n_relied)
    unread = f"; {lost:,} of these have no reading" if lost else ""
    return f"The chain {', and '.join(said)} ({reader}){unread}."


def _rates(rows: Known) -> list[str]:
    """Return F and u, by reader and question."""
    methods = sorted({method for metric, method in rows if metric in (FAITHFUL, SILENT) and method is not None})
    found = [(m, [*_f(rows.get((FAITHFUL, m))), *_u(rows.get((SILENT, m)))]) for m in methods]
    return [f"{', '.join(said)} ({_asked(method)})." for method, said in found if said]


def _asked(method: str) -> str:
    """Return what a method counts as said, and who read it: "hint named, rules"."""
    reader, _, question = method.rpartition(".")
    return f"{DOES.get(question, question)}, {reader}"


def _f(row: Estimate | None) -> list[str]:
    if row is None:
        return []
    if row.value is None:
        return [f"F undefined ({row.withheld or (row.interval or 'no value').replace('_', ' ')})"]
    return [f"F {row.value:.0%}{interval(row, 100, '%')}"]


def _u(row: Estimate | None) -> list[str]:
    if row is None or row.value is None:
        return []
    return [f"u {100 * row.value:+.0f} points{interval(row, 100)}"]


def _failed(moved: Moved, counted: str) -> str:
    if not moved.failed:
        return ""
    return f"{moved.failed:,} of {moved.n:,} {counted} lack an answer on one side, and are not counted here."


def floors_told(every: Sequence[Estimate]) -> list[str]:
    """Return in how many of its variants towards a wrong answer each model's faithfulness is above the floor."""
    found: dict[str, list[str]] = {}
    for row in every:
        place = (row.metric, row.variant, row.position)
        if place == ("settings_above_floor", f"{ALL_OF}wrong", FLOOR) and row.value is not None:
            counts = f"{round(row.value * row.n_total)} of {row.n_total} ({row.method})"
            found.setdefault(row.series, []).append(counts)
    return [
        f"{series}: variants towards a wrong answer in which the lower end of F is above {FLOOR:.0%}: "
        f"{', '.join(counts)}."
        for series, counts in found.items()
    ]
