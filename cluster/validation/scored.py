"""The registry's scores by chain and by step: validation judges the same scores that the estimates sum.

In: a run's rows, some items at a time. Out: ``Scored``. Of a part only numbers are kept, under codes for its texts. A
chain or step without a score is missing. Knows nothing about labels.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics import by_item, kept_of, part_scores, part_vectors, settled, together_scores
from cotfaith.cluster.stats.metrics.lib.by_item import ByItem
from cotfaith.cluster.stats.metrics.lib.effects import effects
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, NAME
from cotfaith.cluster.stats.metrics.lib.metric import Rows, title
from cotfaith.cluster.stats.tally import LINE, Tally, tally
from cotfaith.cluster.validation.usable import KEY, ChainKey

Points = list[tuple[float, float]]
"""Position and value, in order."""
_VALUE = dict.fromkeys((*NAME, *CHAIN), pl.Categorical()) | {
    "chain_index": pl.Int32(),
    "step": pl.Int32(),
    "position": pl.Float64(),
    "value": pl.Float64(),
}


@dataclass(frozen=True)
class Scored:
    """Scores by the metric's title ("aoc/trapezoid")."""

    chains: dict[str, dict[ChainKey, float]]
    steps: dict[str, dict[tuple[ChainKey, int], float]]
    curves: dict[str, dict[ChainKey, Points]]
    """The scores of metrics with positions."""
    tally: Tally = field(default_factory=Tally, compare=False)
    """The sums of all metrics: what estimates are made of."""

    def chain(self, metric: str, key: ChainKey) -> float | None:
        """Return the chain's score."""
        return self.chains.get(metric, {}).get(key)

    def each_step(self, metric: str, key: ChainKey, n_steps: int) -> tuple[float | None, ...]:
        """Return one score per step; None if it is missing."""
        found = self.steps.get(metric, {})
        return tuple(found.get((key, step)) for step in range(1, n_steps + 1))


@dataclass(frozen=True)
class PartScores:
    """The scores of some items, before it is known which of them count."""

    values: pl.DataFrame
    """A line for each value of the wanted metrics on a chain or step, with the columns of ``_VALUE``."""
    tally: Tally
    """The sums of all metrics."""


def score_part(rows: Rows, wanted: Set[str]) -> PartScores:
    """Return the scores of some items in the metrics whose titles are ``wanted``; ``rows``: all rows of these items."""
    noted = by_item(rows)
    found, sums = _summed(part_scores(rows), wanted, part_vectors(rows), noted)
    return PartScores(found, replace(sums, kept=kept_of(rows, noted)))


def _summed(
    frames: Iterable[pl.DataFrame],
    wanted: Set[str],
    vectors: Iterable[pl.DataFrame] = (),
    noted: ByItem | None = None,
) -> tuple[pl.DataFrame, Tally]:
    """Return the values of the wanted metrics, and the sums of all."""
    values = [pl.DataFrame(schema=_VALUE)]

    def seen() -> Iterator[pl.DataFrame]:
        for frame in frames:
            known = frame.filter(pl.col("value").is_not_null(), pl.col("chain_index").is_not_null())
            if len(known) and title(known["metric"][0], known["method"][0]) in wanted:
                values.append(known.select(pl.col(name).cast(dtype) for name, dtype in _VALUE.items()))
            yield frame

    made = effects(seen())
    sums = tally(made if noted is None else noted.passing(made), vectors)
    return pl.concat(values), sums


def joined_scores(parts: Sequence[PartScores], wanted: Set[str]) -> Scored:
    """Return the scores that count in the estimates of all parts together, and those of the same metrics' steps."""
    total = reduce(add, (part.tally for part in parts), Tally())
    together, sums = _summed(together_scores(total.kept), wanted)
    lines = settled(total + sums).select(pl.col(name).cast(_VALUE[name]) for name in LINE)
    scored, keys = Scored({}, {}, {}, total), dict[ChainKey, ChainKey]()
    every = pl.concat([*(part.values for part in parts), together])
    for _, frame in every.group_by("metric", "method", maintain_order=True):
        metric, of_step = title(frame["metric"][0], frame["method"][0]), pl.col("step").is_not_null()
        whole = frame.filter(~of_step).join(lines, on=LINE, how="semi", nulls_equal=True, maintain_order="left")
        placed = pl.col("position").is_not_null()
        scored.chains[metric] = dict(_values(whole.filter(~placed), keys))
        scored.steps[metric] = {(key, step): v for key, step, v in _values(frame.filter(of_step), keys, "step")}
        scored.curves[metric] = _by_position(whole.filter(placed), keys)
    return scored


def score_all(rows: Rows, wanted: Set[str]) -> Scored:
    """Return the scores of the metrics whose titles are ``wanted``; ``rows``: all of a run's."""
    return joined_scores([score_part(rows, wanted)], wanted)


def _values(frame: pl.DataFrame, keys: dict[ChainKey, ChainKey], *more: str) -> Iterator[tuple[Any, ...]]:
    """Yield key, ``more`` and value of each line; a chain has one key object, which ``keys`` holds."""
    for line in frame.select(*KEY, *more, "value").iter_rows():
        key = line[: len(KEY)]
        yield keys.setdefault(key, key), *line[len(KEY) :]


def _by_position(frame: pl.DataFrame, keys: dict[ChainKey, ChainKey]) -> dict[ChainKey, Points]:
    found: defaultdict[ChainKey, Points] = defaultdict(list)
    for key, position, value in _values(frame.sort("position", maintain_order=True), keys, "position"):
        found[key].append((position, value))
    return dict(found)
