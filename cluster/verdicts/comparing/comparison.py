"""The comparison of two models on all tasks that both have: figures, items at matched skill, and flips.

In: two sides, and which figures are wanted. Out: a ``Comparison``. One task is read at a time. P-values are corrected
by Holm over all lines of the comparison. Knows nothing about terminals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from cotfaith.cluster.stats.multiplicity import holm
from cotfaith.cluster.verdicts.comparing.line import Line
from cotfaith.cluster.verdicts.comparing.matched import Matched
from cotfaith.cluster.verdicts.comparing.one_task import Counts, OneTask, compare_task
from cotfaith.cluster.verdicts.comparing.side import Pair
from cotfaith.cluster.verdicts.comparing.terms import terms
from cotfaith.cluster.verdicts.comparing.wanted import Wanted
from cotfaith.schemas.errors import InputError


@dataclass(frozen=True)
class Comparison:
    """What changed from one model to the other."""

    pair: Pair
    lines: tuple[Line, ...]
    """In the order of tasks, strategies and variants."""
    counts: tuple[Counts, ...]
    """One for each task."""
    matched: Mapping[tuple[str, str, str], Matched]
    """Task, strategy and channel -> the items at matched skill."""
    flips: pl.DataFrame
    """``FLIPS`` with the task before them."""
    warnings: tuple[str, ...]


def compare(pair: Pair, wanted: Wanted, tasks: Sequence[str] = ()) -> Comparison:
    """Return what changed; ``tasks``: only these.

    Raises:
        InputError: the two were not measured on the same terms, or on other items, or nothing is to be compared.

    """
    found = terms(pair)
    chosen = [task for task in found.tasks if not tasks or task in tasks]
    parts = [compare_task(pair, found, task, wanted) for task in chosen]
    lines = [line for part in parts for line in part.lines]
    if not lines:
        raise InputError(_nothing(pair, chosen, found.warnings))
    return Comparison(
        pair,
        tuple(_corrected(lines)),
        tuple(part.counts for part in parts),
        {key: one for part in parts for key, one in part.matched.items()},
        pl.concat([part.flips for part in parts]),
        (*found.warnings, *_warnings(parts)),
    )


def _corrected(lines: Sequence[Line]) -> list[Line]:
    found = holm([line.all.p_value for line in lines])
    return [replace(line, p_holm=p) for line, p in zip(lines, found, strict=True)]


def _warnings(parts: Sequence[OneTask]) -> list[str]:
    return [text for part in parts for text in part.warnings]


def _nothing(pair: Pair, tasks: Sequence[str], warnings: Sequence[str]) -> str:
    a, b = pair
    return " ".join(
        [
            f"{a.name} and {b.name} have no figure in common on {', '.join(tasks) or 'the tasks that are named'}. Run "
            "the same probes and interventions on both, with chains of the same channel, or name another --metric or "
            "--task.",
            *warnings,
        ]
    )
