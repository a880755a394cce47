"""What each intervention did to each task: sentences, accuracies by arm, and switch matrices.

In: estimates of all variants, and counts of moves (``moves.py``). Out: ``OfTask`` objects, ready to be printed. Models,
strategies and channels are never pooled. The variant with the smallest faithfulness is first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import polars as pl

from cotfaith.cluster.report.columns import Cell, shown_cell
from cotfaith.cluster.report.matrices import SwitchMatrix, moved_in, switch_matrix
from cotfaith.cluster.report.told import FAITHFUL, Known, floors_told, told
from cotfaith.cluster.stats.estimates import ALL_OF, Estimate
from cotfaith.cluster.stats.metrics.lib.groups import NOT_TOLD
from cotfaith.schemas.variants import PLAIN

Row = Mapping[str, Any]
Name = tuple[str, str]
"""(series, variant)."""
ARMS = (PLAIN, "neutral", "correct", "wrong")
"""The order of arms; others follow."""
WAYS = {"with a chain": "accuracy_cot", "without": "accuracy_no_cot"}


@dataclass(frozen=True)
class Accuracies:
    """A line of the table of accuracies."""

    series: str
    intervention: str
    way: str
    cells: Sequence[Cell]
    """One for each of ``OfTask.arms``."""


@dataclass(frozen=True)
class OfTask:
    """What interventions did to one task."""

    task: str
    told: Sequence[tuple[str, str]]
    """(model and variant, sentences)."""
    floors: Sequence[str]
    arms: Sequence[str]
    accuracies: Sequence[Accuracies]
    matrices: Sequence[SwitchMatrix]

    first: int = 8
    """The variants that are shown at once; what else there is, is folded."""

    @property
    def readers(self) -> list[str]:
        """The judges whose readings the matrices count."""
        return sorted({one.reader for one in self.matrices if one.reader is not None})


def of_tasks(every: Sequence[Estimate], moves: pl.DataFrame) -> list[OfTask]:
    """Return one for each task with variants.

    Args:
        every: all estimates of the run.
        moves: ``COUNTS`` rows.

    """
    tasks = sorted({row.task for row in every if not row.is_plain})
    parts = ((task, [row for row in every if row.task == task]) for task in tasks)
    return [_of_task(task, own, moves.filter(pl.col("task") == task)) for task, own in parts]


def _of_task(task: str, every: list[Estimate], moves: pl.DataFrame) -> OfTask:
    known, counts = _known(every), _by_variant(moves, every)

    def place(name: Name) -> tuple[float, bool, Name]:
        return _faithfulness(known.get(name, {})), not name[1].endswith(".wrong"), name

    ordered = [(name, counts[name]) for name in sorted(counts, key=place)]
    sentences = [(_joined(name), told(moved_in(own), _one_each(own), known.get(name, {}))) for name, own in ordered]
    matrices = [switch_matrix(_joined(name), own) for name, own in ordered]
    return OfTask(task, sentences, floors_told(every), *_accuracies(every), matrices)


def _faithfulness(rows: Known) -> float:
    """Return the smallest share of switches that a judge finds said; more than all, if none is known."""
    found = (row for (metric, _), row in rows.items() if metric == FAITHFUL)
    return min((row.value for row in found if row.value is not None), default=inf)


def _known(every: Iterable[Estimate]) -> dict[Name, dict[tuple[str, str | None], Estimate]]:
    """Return (series, variant) -> its estimates that are not part of a curve, by metric and method."""
    found: dict[Name, dict[tuple[str, str | None], Estimate]] = {}
    for row in every:
        if row.position is None:
            found.setdefault((row.series, row.variant), {})[row.metric, row.method] = row
    return found


def _joined(name: tuple[str, ...]) -> str:
    return " · ".join(name)


def _by_variant(moves: pl.DataFrame, every: Iterable[Estimate]) -> dict[Name, list[Row]]:
    """Return (series, variant) -> its counts."""
    series = {(row.model, row.strategy, row.channel or NOT_TOLD): row.series for row in every}
    found: dict[Name, list[Row]] = {}
    for row in moves.iter_rows(named=True):
        place = (row["model"], row["strategy"], row["channel"])
        name = series.get(place) or _joined(place)
        found.setdefault((name, row["variant"]), []).append(row)
    return found


def _one_each(rows: Iterable[Row]) -> bool:
    """Return whether each item has one plain chain and one under the variant."""
    return all(row["most"] == 1 for row in rows)


def _accuracies(every: Sequence[Estimate]) -> tuple[list[str], list[Accuracies]]:
    """Return the arms, and a line for each model and intervention with and without a chain."""
    own = [row for row in every if row.metric in WAYS.values() and (row.method, row.position) == (None, None)]
    known = {(row.series, row.variant, row.metric): row for row in own if not row.variant.startswith(ALL_OF)}
    names = sorted({(series, variant.rpartition(".")[0]) for series, variant, _ in known if variant != PLAIN})
    occurring = {variant.rpartition(".")[2] for _, variant, _ in known}
    arms = [*(arm for arm in ARMS if arm in occurring), *sorted(occurring - set(ARMS))]
    lines = [
        Accuracies(series, intervention, way, [shown_cell(row, "%") for row in rows])
        for series, intervention in names
        for way, metric in WAYS.items()
        if any((rows := [known.get((series, _variant(intervention, arm), metric)) for arm in arms])[1:])
    ]
    return arms, lines


def _variant(intervention: str, arm: str) -> str:
    return PLAIN if arm == PLAIN else f"{intervention}.{arm}"
