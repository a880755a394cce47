"""Figures whose intervals can be had at any level: what verdicts test.

In: the sums of a run (``Tally``). Out: ``Quantity`` objects by cell. They rest on the sums that estimates rest on, and
have the same value and the same ends. Figures with positions are left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from cotfaith.cluster.stats.functions import NOT_READ
from cotfaith.cluster.stats.intervals import Sums, interval
from cotfaith.cluster.stats.inverted import smallest_level
from cotfaith.cluster.stats.metrics import find_metric, levels, settled, with_together
from cotfaith.cluster.stats.metrics.lib.function import PARTS, Floats
from cotfaith.cluster.stats.metrics.lib.groups import NOT_TOLD
from cotfaith.cluster.stats.metrics.lib.metric import Metric, title
from cotfaith.cluster.stats.smooth import smooth
from cotfaith.cluster.stats.tally import CURVE, Tally
from cotfaith.cluster.verdicts.policy import is_named

Row = dict[str, Any]
Bounded = tuple[float | None, float | None]
Scaled = Callable[[float, float], Bounded]
"""One-sided level, and how many times the items -> the ends."""


@dataclass(frozen=True)
class Cell:
    """What a verdict is on."""

    model: str
    task: str
    strategy: str
    channel: str | None
    """None: not told apart."""


@dataclass(frozen=True)
class Quantity:
    """One figure of a cell."""

    metric: str
    method: str | None
    variant: str
    value: float | None
    n_items: int
    """Items behind it."""
    ends: Scaled
    """Its ends, also if there were several times as many items like these."""
    why: str = ""
    """How the interval is made, or why there is no value."""

    @property
    def title(self) -> str:
        """The metric's name with its method."""
        return title(self.metric, self.method)

    def above(self, threshold: float) -> float:
        """Return the p-value of "it is not above the threshold": 1 if the value is not."""
        return smallest_level(lambda tail: _is(self.ends(tail, 1.0)[0], lambda low: low > threshold))

    def below(self, threshold: float) -> float:
        """Return the p-value of "it is not below the threshold"."""
        return smallest_level(lambda tail: _is(self.ends(tail, 1.0)[1], lambda high: high < threshold))


def _is(end: float | None, test: Callable[[float], bool]) -> bool:
    return end is not None and test(end)


def quantities(found: Tally, wanted: Callable[[str], bool]) -> dict[Cell, list[Quantity]]:
    """Return the figures of each cell, those of the metrics whose titles are ``wanted``."""
    made: dict[Cell, list[Quantity]] = {}
    for cell, quantity in (*_of_sums(with_together(found), wanted), *_of_vectors(found, wanted), *_kept(found, wanted)):
        made.setdefault(cell, []).append(quantity)
    return made


def cells(found: Tally) -> set[Cell]:
    """Return all cells with figures."""
    names = ["model", "task", "strategy", "channel"]
    return {_cell(row) for row in found.sums.select(names).unique().to_dicts()}


def _cell(row: Mapping[str, Any]) -> Cell:
    channel = None if row["channel"] == NOT_TOLD else row["channel"]
    return Cell(row["model"], row["task"], row["strategy"], channel)


def _of_sums(found: Tally, wanted: Callable[[str], bool]) -> Iterator[tuple[Cell, Quantity]]:
    for line in settled(found).filter(pl.col("position").is_null()).to_dicts():
        if not wanted(title(line["metric"], line["method"])):
            continue
        metric = find_metric(line["metric"], line["method"])
        sums = Sums(*(np.asarray(line[name], dtype=np.float64) for name in _SUMS))
        value = float(sums.num / sums.den) if sums.den else None
        lacking = metric.lacking if value is None and not line["n_arms"] else None
        why = lacking or interval(sums, metric.bounds, of_means=metric.ratio).kind
        yield _cell(line), _quantity(line, value, line["n_items"], partial(_ends, sums, metric), why)


_SUMS = ("n", "num", "den", "num2", "cross", "den2", "squares")


def _quantity(row: Mapping[str, Any], value: float | None, n_items: int, ends: Scaled, why: str) -> Quantity:
    return Quantity(row["metric"], row["method"], row["variant"], value, n_items, ends, why)


def _ends(sums: Sums, metric: Metric, tail: float, times: float) -> Bounded:
    scaled = Sums(*(times * np.asarray(getattr(sums, name)) for name in _SUMS))
    made = interval(scaled, metric.bounds, of_means=metric.ratio, tail=tail)
    return made.low, made.high


def _of_vectors(found: Tally, wanted: Callable[[str], bool]) -> Iterator[tuple[Cell, Quantity]]:
    for key, part in found.vectors.sort(CURVE).group_by(CURVE, maintain_order=True):
        row: Row = dict(zip(CURVE, key, strict=True))
        if not wanted(title(row["metric"], row["method"])):
            continue
        metric = find_metric(row["metric"], row["method"])
        assert metric.function is not None, f"{metric.title} has vectors"
        vectors_VK, counts_V = part.select(PARTS).to_numpy(), part["n_items"].to_numpy().astype(np.float64)
        made = smooth(vectors_VK, counts_V, metric.function)
        if made.value is None and not part["n_arms"].sum():
            why = made.why or NOT_READ
        else:
            why = made.why or (metric.function.why(counts_V @ vectors_VK) if made.value is None else made.kind)
        n_items = int(counts_V[vectors_VK[:, metric.function.size] > 0].sum())
        yield _cell(row), _quantity(row, made.value, n_items, partial(_smooth_ends, vectors_VK, counts_V, metric), why)


def _smooth_ends(vectors_VK: Floats, counts_V: Floats, metric: Metric, tail: float, times: float) -> Bounded:
    assert metric.function is not None, "it has vectors"
    made = smooth(vectors_VK, times * counts_V, metric.function, tail)
    return made.low, made.high


def _kept(found: Tally, wanted: Callable[[str], bool]) -> Iterator[tuple[Cell, Quantity]]:
    for row, ends in levels(found.kept):
        if wanted(title(row["metric"], row["method"])):
            why = row["interval"] or ""
            yield _cell(row), _quantity(row, row["value"], row["n_items"], partial(_once, ends), why)


def _once(ends: Callable[[float], Bounded], tail: float, times: float) -> Bounded:
    """Return the ends; with more items about as far from the middle as their number lets them be."""
    low, high = ends(tail)
    if times == 1 or low is None or high is None:
        return low, high
    middle, reach = (low + high) / 2, (high - low) / 2 / float(np.sqrt(times))
    return middle - reach, middle + reach


def pick(found: Sequence[Quantity], name: str) -> list[Quantity]:
    """Return the figures that a criterion names."""
    return [one for one in found if is_named(one.title, name)]
