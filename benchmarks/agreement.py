"""How often the intervals of two readers' agreement hold the true values, by simulation.

    python benchmarks/agreement.py                       # 300 repetitions a cell: a minute
    python benchmarks/agreement.py --repetitions 2000

A cell: items, chains an item, how often the chains of an item share what each reader says (``icc``), the share of yes
of the first reader, and the other's share of yes where the first says yes, and where it says no. ``covers``: the share
of intervals that hold the value, each way of agreeing; kappa's over the repetitions in which it has a value. It needs
no weights, and its table is the same on every machine. It exits with 1 if, in a cell of at least 30 items with at least
5 expected answers of each class, one is below .94 by more than 3 standard errors of the simulation; the other cells are
printed and not judged.
"""

import argparse
import sys
from dataclasses import dataclass
from itertools import product
from math import sqrt

import numpy as np
import numpy.typing as npt

from cotfaith.cluster.stats.intervals import TAIL
from cotfaith.cluster.stats.metrics.agreement import COHEN, GWET, RAW
from cotfaith.cluster.stats.metrics.lib.function import WIDTH, Function
from cotfaith.cluster.stats.smooth import smooth

Values = npt.NDArray[np.float64]
ASKED = 0.94
METRICS = (RAW, COHEN, GWET)


@dataclass(frozen=True)
class Cell:
    """One setting."""

    items: int
    chains: int
    icc: float
    yes: float
    yes_if_yes: float
    yes_if_no: float

    @property
    def is_judged(self) -> bool:
        """Whether coverage is asked of it."""
        other = self.yes * self.yes_if_yes + (1 - self.yes) * self.yes_if_no
        return self.items >= 30 and self.items * min(self.yes, other, 1 - self.yes, 1 - other) >= 5

    def truth(self) -> Values:
        """Return the expected sums of one chain (K)."""
        both, no = self.yes * self.yes_if_yes, (1 - self.yes) * self.yes_if_no
        return np.array([1.0, both, self.yes, both + no, *[0.0] * (WIDTH - 4)])


def cells() -> list[Cell]:
    """Return all cells."""
    places = ((12, 1, 0.0), (30, 1, 0.0), (100, 1, 0.0), (400, 1, 0.0), (30, 5, 0.3), (100, 5, 0.8), (400, 3, 0.3))
    answers = ((0.5, 0.9, 0.1), (0.3, 0.95, 0.02), (0.1, 0.8, 0.02), (0.5, 0.5, 0.5), (0.9, 0.97, 0.3), (0.2, 1.0, 0.0))
    return [Cell(*place, *own) for place, own in product(places, answers)]


def vectors_of(cell: Cell, rng: np.random.Generator) -> Values:
    """Return the items' vectors (items, K)."""
    shape = (cell.items, cell.chains)

    def uniform() -> Values:
        shared = rng.random((cell.items, 1))
        found: Values = np.where(rng.random(shape) < cell.icc, shared, rng.random(shape))
        return found

    one = uniform() < cell.yes
    other = uniform() < np.where(one, cell.yes_if_yes, cell.yes_if_no)
    parts = [np.full(cell.items, float(cell.chains)), *((x.sum(axis=1) * 1.0) for x in (one & other, one, other))]
    return np.array([*parts, *np.zeros((WIDTH - 4, cell.items))]).T


def covered(cell: Cell, repetitions: int, seed: int) -> list[tuple[int, int, float]]:
    """Return, for each metric, how often it has an interval, how often that holds the truth, and its mean width."""
    rng, found = np.random.default_rng(seed), [[0, 0, 0.0] for _ in METRICS]
    for _ in range(repetitions):
        vectors, counts = np.unique(vectors_of(cell, rng), axis=0, return_counts=True)
        for metric, own in zip(METRICS, found, strict=True):
            function = metric.function
            assert isinstance(function, Function)
            made, truth = smooth(vectors, counts * 1.0, function, TAIL), float(function.value(cell.truth()))
            if made.low is not None and made.high is not None:
                own[0], own[2] = own[0] + 1, own[2] + made.high - made.low
                own[1] += made.low - 1e-9 <= truth <= made.high + 1e-9
    return [(int(n), int(held), width / max(n, 1)) for n, held, width in found]


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=300)
    asked, low, lowest = parser.parse_args(), 0, dict.fromkeys((one.name for one in METRICS), 1.0)
    print("items chains icc yes  if yes if no  raw: covers width  kappa: covers width  AC1: covers width")
    for n, cell in enumerate(cells()):
        found = covered(cell, asked.repetitions, n)
        shares = [held / n if n else float("nan") for n, held, _ in found]
        about = f"{cell.items:<5} {cell.chains:<6} {cell.icc:<3} {cell.yes:<4} {cell.yes_if_yes:<6} {cell.yes_if_no:<6}"
        said = "  ".join(f"{share:11.3f} {width:5.3f}" for share, (_, _, width) in zip(shares, found, strict=True))
        print(f"{about} {said}{'' if cell.is_judged else '  (not judged)'}")
        for metric, share, (given, _, _) in zip(METRICS, shares, found, strict=True):
            if cell.is_judged and given:
                lowest[metric.name] = min(lowest[metric.name], share)
                low += share < ASKED - 3 * sqrt(ASKED * (1 - ASKED) / given)
    print("lowest, of cells that are judged:", ", ".join(f"{name} {share:.3f}" for name, share in lowest.items()))
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
