"""Is a model less faithful, or only more skilled? How often each figure says that two models differ, by simulation.

    python benchmarks/confound.py                           # the table of docs/skill.md
    python benchmarks/confound.py --items 200 --repetitions 50

It times nothing, needs no weights, and its table is the same on every machine. It simulates a mechanism, not what an
estimator assumes. A model's probabilities without a chain come from its skill and from the item's difficulty, which
models share; its answer without one is the likeliest. A share of the items is answered from the chain: right with the
probability ``accuracy``, else any wrong answer. The other items are answered from skill, whatever the chain says:

    early answering    an item answered from the chain has the old answer until a step at random
    adding mistakes    a mistake up to that step changes its answer; one behind it does not

``when_unsure``: a model answers from the chain more often where its skill is small, at equal p0 as often as the other.

It prints the share of repetitions in which the 95% interval of a difference leaves out 0: where the models are equally
faithful it should be .05, where they are not it is the power. It exits with 1 if standardised figures of models that
differ only in skill are beyond .05 by more than the noise of the simulation (3 standard errors).

Shapes: I = items, K = choices, R = rows, one for each item and model.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from cotfaith.cluster.stats.conditioned.pairs import KINDS, STANDARDISED, compared
from cotfaith.cluster.stats.intervals import TAIL, Floats
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE
from cotfaith.cluster.stats.metrics.lib.measured import Measured
from cotfaith.cluster.stats.metrics.lib.standardised import Observed, standardised
from cotfaith.cluster.stats.metrics.lib.strata import strata

CHOICES = 4
STEPS = 5
SURE = 0.95
"""The probability of an answer that the chain has led to."""
FIVE = "five strata"
WAYS = (KINDS[0], FIVE, *KINDS[1:])
METRICS = ("raw_reliance", "raw_reliance/soft", "aoc", "aoc/soft", "mistakes_aoc", "mistakes_aoc/soft")
Counts = Counter[tuple[str, str]]
"""Metric and way -> repetitions in which the interval leaves out 0."""


@dataclass(frozen=True)
class Model:
    """How a model answers."""

    skill: float
    """Mean log-odds of the gold answer without a chain."""
    faithful: float = 0.5
    """Share of the items that are answered from the chain."""
    accuracy: float = 0.8
    """How often the chain's answer is right."""
    when_unsure: bool = False

    def answers(self, hard_I: Floats, rng: np.random.Generator) -> tuple[Floats, dict[str, Floats]]:
        """Return p0 (I), and each metric's value (I)."""
        n, item = len(hard_I), np.arange(len(hard_I))
        p0_I = 1 / (1 + np.exp(hard_I - self.skill - rng.normal(0, 1, n)))
        others_IK = rng.dirichlet(np.ones(CHOICES - 1), n) * (1 - p0_I)[:, None]
        p_IK = np.column_stack([p0_I, others_IK])
        without_I = p_IK.argmax(axis=1)
        share_I = 2 * self.faithful * (1 - p0_I) if self.when_unsure else np.full(n, self.faithful)
        by_chain_I = rng.random(n) < share_I
        of_chain_I = np.where(rng.random(n) < self.accuracy, 0, rng.integers(1, CHOICES, n))
        answer_I = np.where(by_chain_I, of_chain_I, without_I)
        until_I = rng.integers(1, STEPS + 1, n)
        changed_I, p_I = answer_I != without_I, p_IK[item, answer_I]
        return p0_I, _values(by_chain_I, changed_I, until_I, p_I)


def _values(
    by_chain_I: npt.NDArray[np.bool_], changed_I: npt.NDArray[np.bool_], until_I: npt.NDArray[np.int64], p_I: Floats
) -> dict[str, Floats]:
    """Return each metric's value; ``until_I``: the step that settles the answer, ``p_I``: its p without a chain."""
    share_I = until_I / STEPS
    cut_I = (until_I * p_I + (STEPS + 1 - until_I) * SURE) / (STEPS + 1)
    mistaken_I = share_I * (1 - SURE) + (1 - share_I) * SURE
    values = (
        changed_I,
        1 - p_I,
        np.where(by_chain_I & changed_I, (until_I - 0.5) / STEPS, 0.0),
        1 - np.where(by_chain_I, cut_I, p_I),
        np.where(by_chain_I, share_I, 0.0),
        1 - np.where(by_chain_I, mistaken_I, p_I),
    )
    return {name: value.astype(np.float64) for name, value in zip(METRICS, values, strict=True)}


CASES: Mapping[str, tuple[Model, Model]] = {
    "equally faithful: other skill": (Model(-0.5), Model(1.0)),
    "equally faithful: other skill, chains when unsure": (
        Model(-0.5, 0.4, when_unsure=True),
        Model(1.0, 0.4, when_unsure=True),
    ),
    "equally faithful: other accuracy with a chain": (Model(0.0, accuracy=0.6), Model(0.0, accuracy=0.9)),
    "equally faithful: other skill and accuracy": (Model(-0.5, accuracy=0.6), Model(1.0, accuracy=0.9)),
    "faithful on 50% and 60%: equal skill": (Model(0.0), Model(0.0, 0.6)),
    "faithful on 50% and 60%: other skill": (Model(-0.5), Model(1.0, 0.6)),
}
LEVEL = tuple(CASES)[:2]
"""Cases in which standardised figures must be level."""


def rejected(
    models: tuple[Model, Model], n: int, repetitions: int, seed: int = 0, metrics: Sequence[str] = METRICS
) -> Counts:
    """Return how often the intervals of the differences leave out 0; ``n``: items, which both models answer."""
    found, rng = Counts(), np.random.default_rng(seed)
    for _ in range(repetitions):
        hard_I = rng.normal(0, 1.5, n)
        (first_I, values_a), (second_I, values_b) = (model.answers(hard_I, rng) for model in models)
        for metric in metrics:
            rows = _rows(np.concatenate([first_I, second_I]), np.concatenate([values_a[metric], values_b[metric]]))
            found.update((metric, way) for way, (low, high) in _intervals(rows) if not low <= 0 <= high)
    return found


def _rows(skill_R: Floats, values_R: Floats) -> Observed:
    n = len(skill_R) // 2
    return Observed(np.repeat([0, 1], n), np.tile(np.arange(n), 2), skill_R, values_R, np.ones(2 * n), 2)


def _intervals(rows: Observed) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the interval of the difference in each way; where there is none, all values are possible."""
    yield FIVE, standardised(rows, strata(rows.skill, 5)).difference(SHARE)
    for kind, one in compared(Measured(rows, "strata", 1.0), SHARE).items():
        made = one.ends(TAIL) if one.ends is not None else None
        if made is not None and made.low is not None and made.high is not None:
            yield kind, (made.low, made.high)


def table(sizes: list[int], repetitions: int) -> bool:
    """Print the table; return whether standardised figures are level where they must be."""
    level, most = True, 0.05 + 3 * sqrt(0.05 * 0.95 / repetitions)
    for case, models in CASES.items():
        print(f"\n{case}\n{'':20}" + "".join(f"{way:>26}" for way in WAYS))
        shares = {n: rejected(models, n, repetitions) for n in sizes}
        for metric in METRICS:
            cells = (" / ".join(f"{shares[n][metric, way] / repetitions:.2f}" for n in sizes) for way in WAYS)
            print(f"{metric:20}" + "".join(f"{cell:>26}" for cell in cells), flush=True)
            if case in LEVEL:
                level &= all(shares[n][metric, STANDARDISED] / repetitions <= most for n in sizes)
    return level


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[200, 1000, 5000])
    parser.add_argument("--repetitions", type=int, default=400)
    options = parser.parse_args()
    if options.repetitions < 1 or min(options.items) < 2:
        parser.error("set at least 1 repetition, and 2 items")
    print(f"Share of {options.repetitions} repetitions in which the interval leaves out 0, at {options.items} items")
    sys.exit(0 if table(options.items, options.repetitions) else 1)


if __name__ == "__main__":
    main()
