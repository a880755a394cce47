"""The registry's scores by chain and by step: validation judges the same scores that the estimates sum.

In: a run's rows. Out: ``Scored``. A chain or step without a score is missing. Knows nothing about labels.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics import all_scores
from cotfaith.cluster.stats.metrics.lib.metric import Rows, title
from cotfaith.cluster.validation.usable import KEY, ChainKey

Points = list[tuple[float, float]]
"""Position and value, in order."""


@dataclass(frozen=True)
class Scored:
    """Scores by the metric's title ("aoc/trapezoid")."""

    chains: Mapping[str, Mapping[ChainKey, float]]
    steps: Mapping[str, Mapping[tuple[ChainKey, int], float]]
    curves: Mapping[str, Mapping[ChainKey, Points]]
    """The scores of metrics with positions."""

    def chain(self, metric: str, key: ChainKey) -> float | None:
        """Return the chain's score."""
        return self.chains.get(metric, {}).get(key)

    def each_step(self, metric: str, key: ChainKey, n_steps: int) -> tuple[float | None, ...]:
        """Return one score per step; None if it is missing."""
        found = self.steps.get(metric, {})
        return tuple(found.get((key, step)) for step in range(1, n_steps + 1))


def score_all(rows: Rows, wanted: set[str]) -> Scored:
    """Return the scores of the metrics whose titles are ``wanted``."""
    chains: dict[str, dict[ChainKey, float]] = {}
    steps: dict[str, dict[tuple[ChainKey, int], float]] = {}
    curves: dict[str, dict[ChainKey, Points]] = {}
    for metric, frame in _frames(rows, wanted):
        placed, of_step = pl.col("position").is_not_null(), pl.col("step").is_not_null()
        chains.setdefault(metric, {}).update(_by_chain(frame.filter(~placed, ~of_step)))
        steps.setdefault(metric, {}).update(_by_step(frame.filter(of_step)))
        curves.setdefault(metric, {}).update(_by_position(frame.filter(placed)))
    return Scored(chains, steps, curves)


def _frames(rows: Rows, wanted: set[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    for frame in all_scores(rows):
        known = frame.filter(pl.col("value").is_not_null(), pl.col("chain_index").is_not_null())
        if len(known) and (name := title(known["metric"][0], known["method"][0])) in wanted:
            yield name, known


def _by_chain(frame: pl.DataFrame) -> dict[ChainKey, float]:
    return {(m, t, s, v, i, n): value for m, t, s, v, i, n, value in frame.select(*KEY, "value").iter_rows()}


def _by_step(frame: pl.DataFrame) -> dict[tuple[ChainKey, int], float]:
    rows = frame.select(*KEY, "step", "value").iter_rows()
    return {((m, t, s, v, i, n), step): value for m, t, s, v, i, n, step, value in rows}


def _by_position(frame: pl.DataFrame) -> dict[ChainKey, Points]:
    found: defaultdict[ChainKey, Points] = defaultdict(list)
    for m, t, s, v, i, n, position, value in frame.sort("position").select(*KEY, "position", "value").iter_rows():
        found[m, t, s, v, i, n].append((position, value))
    return dict(found)
