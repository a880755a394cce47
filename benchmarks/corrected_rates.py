"""How often the interval of a corrected rate holds the true rate, beside the paper's interval, by simulation.

    python benchmarks/corrected_rates.py                         # 200 cells, 400 repetitions each: two minutes
    python benchmarks/corrected_rates.py --cells 600 --repetitions 1000

A cell is drawn from a grid: the true rate, the judge's specificity q0 and sensitivity q1, items, chains an item (1 to
5, or of any number of these), labels, and how they are had: ``own``, drawn at random from the rate's chains;
``weighted``, drawn from them three times as often where the judge says yes, and weighted; or a share of them of the
class yes, from other chains. The chains of an item have the same truth as often as ``icc`` says; if they are
``alike``, all of them are one text, which the judge reads once. ``cannot``: repetitions in which the judge cannot tell,
or a class has no labels, so that no interval is given. ``covers``: of the intervals given, those that hold the rate.
``errors``: of all repetitions, those with an interval that does not. ``paper``: as ``covers``, for the interval of Lee
et al. 2025 (arXiv 2511.21140) where both are given. It needs no weights, and its table is the same on every machine. It
exits with 1 if, in a cell with an interval in at least a fifth of its repetitions, ``covers`` is below .94 by more than
3 standard errors of the simulation, or if in any cell ``errors`` is above .06 by as much.
"""

import argparse
import sys
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from cotfaith.cluster.stats.intervals import TAIL
from cotfaith.cluster.stats.metrics.lib import corrected as module
from cotfaith.cluster.stats.metrics.lib.corrected import corrected

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
ASKED, FEWEST = 0.94, 0.2
SHOWN = 20


@dataclass(frozen=True)
class Cell:
    """One setting."""

    rate: float
    q0: float
    q1: float
    items: int
    chains: int
    """0: from 1 to 5."""
    labels: int
    drawn: str
    icc: float
    alike: bool


@dataclass(frozen=True)
class Covered:
    """What a cell gave."""

    cell: Cell
    n: int
    given: int
    held: int
    width: float
    paper: int

    @property
    def covers(self) -> float:
        """The share of the intervals that hold the rate."""
        return self.held / self.given if self.given else 1.0

    @property
    def errors(self) -> float:
        """The share of all repetitions with an interval that does not hold it."""
        return (self.given - self.held) / self.n

    def is_low(self) -> bool:
        """Return whether it covers too rarely, by more than chance."""
        often = self.given >= FEWEST * self.n and self.covers < ASKED - _slack(self.given)
        return often or self.errors > 1 - ASKED + _slack(self.n)


def _slack(n: int) -> float:
    return 3 * sqrt(ASKED * (1 - ASKED) / n)


def cells(n: int, seed: int) -> list[Cell]:
    """Return ``n`` cells of the grid."""
    rng = np.random.default_rng(seed)
    grid = (
        (0.02, 0.1, 0.3, 0.5, 0.9),
        (0.6, 0.8, 0.95, 1.0),
        (0.6, 0.8, 0.95, 1.0),
        (50, 200, 1000),
        (1, 3, 5, 0),
        (20, 50, 100, 200),
        ("own", "weighted", "0.1", "0.3", "0.5", "0.9"),
        (0.0, 0.3, 0.8),
        (False, False, True),
    )
    return [Cell(*(values[rng.integers(len(values))] for values in grid)) for _ in range(n)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Read:
    """Chains: their items, the truth, and what the judge says."""

    item: npt.NDArray[np.int64]
    truth: Flags
    said: Flags


def chains_of(cell: Cell, rng: np.random.Generator) -> Read:
    """Return the chains of one repetition."""
    n_I = rng.integers(1, 6, cell.items) if cell.chains == 0 else np.full(cell.items, cell.chains)
    item = np.repeat(np.arange(cell.items), n_I)
    whose = rng.random(len(item)) < cell.icc
    shared, own = rng.random(cell.items)[item], rng.random(len(item))
    truth = np.where(whose | cell.alike, shared, own) < cell.rate
    draw = np.where(cell.alike, rng.random(cell.items)[item], rng.random(len(item)))
    return Read(item, truth, np.where(truth, draw < cell.q1, draw >= cell.q0))


def labelled_of(cell: Cell, read: Read, rng: np.random.Generator) -> tuple[Read, Values]:
    """Return the labelled chains and their weights."""
    if cell.drawn in ("own", "weighted"):
        often = np.where(read.said, 3.0, 1.0) if cell.drawn == "weighted" else np.ones(len(read.item))
        probability = np.minimum(1.0, often * cell.labels / often.sum())
        kept = rng.random(len(read.item)) < probability
        return Read(read.item[kept], read.truth[kept], read.said[kept]), 1 / probability[kept]
    n1 = max(1, round(float(cell.drawn) * cell.labels))
    truth = np.arange(cell.labels) < n1
    draw = rng.random(cell.labels)
    said = np.where(truth, draw < cell.q1, draw >= cell.q0)
    return Read(np.arange(cell.labels) % cell.items, truth, said), np.ones(cell.labels)


def vectors_of(cell: Cell, read: Read, labelled: Read, weight: Values) -> Values:
    """Return the items' vectors (items, 8)."""

    def total(one: Read, value: npt.NDArray[np.generic]) -> Values:
        return np.bincount(one.item, value.astype(np.float64), cell.items)

    yes, no = labelled.truth, ~labelled.truth
    parts = [
        *(total(read, np.ones(len(read.item))), total(read, read.said)),
        *(total(labelled, weight * no), total(labelled, weight * (no & ~labelled.said))),
        *(total(labelled, weight * yes), total(labelled, weight * (yes & labelled.said))),
        *(total(labelled, no), total(labelled, yes)),
    ]
    return np.array(parts).T


def paper(p: float, n: float, q0: float, m0: float, q1: float, m1: float) -> tuple[float, float]:
    """Return the paper's interval: chains and labels are taken as independent, and weights as 1."""
    z = float(stats.norm.isf(TAIL))
    p, q0, q1 = (n * p + z**2 / 2) / (n + z**2), (m0 * q0 + 1) / (m0 + 2), (m1 * q1 + 1) / (m1 + 2)
    n, m0, m1, j = n + z**2, m0 + 2, m1 + 2, q0 + q1 - 1
    if j <= 0:
        return 0.0, 1.0
    theta = (p + q0 - 1) / j
    shift = 2 * z**2 * (theta * q1 * (1 - q1) / m1 - (1 - theta) * q0 * (1 - q0) / m0)
    error = sqrt(p * (1 - p) / n + (1 - theta) ** 2 * q0 * (1 - q0) / m0 + theta**2 * q1 * (1 - q1) / m1) / j
    low, high = np.clip([theta + shift - z * error, theta + shift + z * error], 0.0, 1.0)
    return float(low), float(high)


def covered(cell: Cell, repetitions: int, seed: int) -> Covered:
    """Return what the cell's repetitions gave."""
    rng, given, held, of_paper, widths = np.random.default_rng(seed), 0, 0, 0, 0.0
    for _ in range(repetitions):
        read = chains_of(cell, rng)
        labelled, weight = labelled_of(cell, read, rng)
        vectors = vectors_of(cell, read, labelled, weight)
        made = corrected(vectors, np.ones(cell.items), TAIL)
        if made.low is None or made.high is None:
            continue
        given, held, widths = given + 1, held + (made.low <= cell.rate <= made.high), widths + made.high - made.low
        n, said, m0, right0, m1, right1, *_ = vectors.sum(axis=0)
        low, high = paper(said / n, n, right0 / m0, float((~labelled.truth).sum()), right1 / m1, labelled.truth.sum())
        of_paper += low <= cell.rate <= high
    return Covered(cell, repetitions, given, held, widths / max(given, 1), of_paper)


def main() -> int:
    """Print the cells that cover most rarely, and the whole; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--cells", 200), ("--repetitions", 400), ("--seed", 0), ("--draws", 2000)):
        parser.add_argument(name, type=int, default=default)
    asked = parser.parse_args()
    module._DRAWS = asked.draws
    found = [covered(cell, asked.repetitions, n) for n, cell in enumerate(cells(asked.cells, asked.seed))]
    usual = sorted((one for one in found if one.given >= FEWEST * one.n), key=lambda one: one.covers)
    print("rate  q0   q1   items chains labels drawn    icc alike  cannot covers width  paper")
    for one in usual[:SHOWN]:
        c = one.cell
        about = f"{c.rate:<5} {c.q0:<4} {c.q1:<4} {c.items:<5} {c.chains or '1-5':<6} {c.labels:<6} {c.drawn:<8}"
        paper_covers = f"{one.paper / one.given:6.3f}"
        counts = f"{1 - one.given / one.n:7.3f} {one.covers:6.3f} {one.width:5.3f} {paper_covers}"
        print(f"{about} {c.icc:<3} {'yes' if c.alike else 'no':<5} {counts}")
    low = [one for one in found if one.is_low()]
    covers, papers = [one.covers for one in usual], [one.paper / one.given for one in usual]
    print(f"{len(usual)} of {len(found)} cells give an interval in at least a fifth of the repetitions.")
    print(f"covers: lowest {min(covers):.3f}, mean {np.mean(covers):.3f}; below .94: {sum(x < ASKED for x in covers)}")
    print(f"paper:  lowest {min(papers):.3f}, mean {np.mean(papers):.3f}; below .94: {sum(x < ASKED for x in papers)}")
    print(f"errors: highest {max(one.errors for one in found):.3f}, of all {len(found)} cells; too low: {len(low)}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
