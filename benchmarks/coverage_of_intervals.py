"""How often the intervals of cotfaith/cluster/stats hold the true value, by simulation; both tails, and the mean width.

    python benchmarks/coverage_of_intervals.py                  # the worst cells of each family
    python benchmarks/coverage_of_intervals.py --all            # every cell
    python benchmarks/coverage_of_intervals.py --repetitions 2000

It times nothing, needs no weights, and its table is the same on every machine. A cell is a number of items, chains an
item, the correlation of chains of one item (ICC), and a true value. ``upper`` is the share of repetitions in which the
interval lies below the true value, ``lower`` that in which it lies above. It exits with 1 if a cell is beyond what is
asked for by more than the noise of the simulation (3 standard errors): two-sided coverage of .94 and tails of .05 at
the level .025; tails of 6 times the level at .05/600.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.curve_bands import simultaneous_tail
from cotfaith.cluster.stats.intervals import TAIL, Floats, Sums, fieller, linearised
from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE, SHARE, Bounds
from cotfaith.cluster.stats.tally import Crosses
from cotfaith.cluster.validation.auroc import Auroc, auroc

SMALL = 0.05 / 600
ITEMS = (10, 20, 50, 200, 1000)
SHARES = (0.01, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.97, 0.99)
MOST_NUMBERS = 4_000_000
"""Numbers drawn at once."""
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]
"""Generator and repetitions -> numerators and denominators (I, R)."""
Ends = tuple[Floats, Floats]


@dataclass(frozen=True)
class Cell:
    """One setting."""

    family: str
    name: str
    items: int
    truth: float
    draw: Draw
    bounds: Bounds | None = SHARE
    of_means: bool = False

    def ends(self, sums: Sums, tail: float) -> Ends:
        """Return the ends of the intervals of all repetitions."""
        return fieller(sums, tail) if self.of_means else linearised(sums, self.bounds, tail)[:2]


@dataclass
class Count:
    """What was seen in a cell."""

    cell: Cell
    tail: float
    n: int = 0
    above: int = 0
    """The true value lies above the interval."""
    below: int = 0
    width: float = 0.0
    none: int = 0
    """Repetitions without an interval."""
    failed: list[str] = field(default_factory=list)

    def add(self, low: Floats, high: Floats) -> None:
        """Count some repetitions."""
        found = ~np.isnan(low)
        low, high, truth = low[found], high[found], self.cell.truth
        self.n += len(low)
        self.none += int((~found).sum())
        self.above += int((high < truth - 1e-12).sum())
        self.below += int((low > truth + 1e-12).sum())
        self.width += float((high - low).sum())

    def hold(self, found: Auroc) -> None:
        """Count one AUROC."""
        low, high = (np.nan if end is None else end for end in (found.low, found.high))
        self.add(np.array([low]), np.array([high]))

    def check(self) -> None:
        """Note what is beyond what is asked for by more than noise."""
        if self.cell.bounds is None and not self.cell.of_means:
            return  # a mean of skewed values without bounds: nothing is asked for, and the report says "unbounded"
        most = 0.05 if self.tail == TAIL else 6 * self.tail
        for name, count in (("upper", self.above), ("lower", self.below)):
            if count / max(self.n, 1) > most + 3 * sqrt(most / max(self.n, 1)):
                self.failed.append(name)
        if self.tail == TAIL and (self.above + self.below) / max(self.n, 1) > 0.06 + 3 * sqrt(0.06 / max(self.n, 1)):
            self.failed.append("coverage")

    def line(self) -> str:
        """Return a line of the table."""
        n = max(self.n, 1)
        up, low = self.above / n, self.below / n
        shown = f"{1 - up - low:8.4f} {up:9.5f} {low:9.5f} {self.width / n:7.3f} {self.none:6}"
        return f"{self.cell.family:14} {self.cell.name:28} {self.tail:9.2g} {shown}  {' '.join(self.failed)}"


def shares(items: int, p: float) -> Iterator[Cell]:
    """Yield shares: one chain, as many for each item, and 1 to 12, with chains of one item alike by the ICC."""
    one = np.ones
    yield Cell(
        "share",
        f"1 chain, {items} items, {p}",
        items,
        p,
        lambda g, r: (1.0 * (g.random((items, r)) < p), one((items, r))),
    )
    for icc in (0.0, 0.3, 0.7):
        for name, least, most in (("8 chains", 8, 8), ("1-12 chains", 1, 12), ("100 chains", 100, 100)):
            yield Cell("share", f"{name}, ICC {icc}, {items} items, {p}", items, p, _chains(items, p, icc, least, most))


def _chains(items: int, p: float, icc: float, least: int, most: int) -> Draw:
    def draw(g: np.random.Generator, r: int) -> tuple[Floats, Floats]:
        count = g.integers(least, most + 1, (items, r))
        own = g.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc, (items, r)) if icc else np.full((items, r), p)
        return g.binomial(count, own).astype(float), count.astype(float)

    return draw


def differences(items: int) -> Iterator[Cell]:
    """Yield paired differences: a share of the items goes up, another down."""
    for up, down in ((0.03, 0.02), (0.1, 0.05), (0.15, 0.0), (0.01, 0.0), (0.3, 0.1)):

        def draw(g: np.random.Generator, r: int, up: float = up, down: float = down) -> tuple[Floats, Floats]:
            u = g.random((items, r))
            return np.where(u < up, 1.0, np.where(u < up + down, -1.0, 0.0)), np.ones((items, r))

        yield Cell("difference", f"+{up} -{down}, {items} items", items, up - down, draw, DIFFERENCE)


def areas(items: int) -> Iterator[Cell]:
    """Yield areas that are 0 for most items."""
    for share in (0.05, 0.2, 0.6):

        def draw(g: np.random.Generator, r: int, share: float = share) -> tuple[Floats, Floats]:
            used = g.random((items, r)) < share
            return np.where(used, g.beta(2, 2, (items, r)), 0.0), np.ones((items, r))

        yield Cell("area", f"{share} not 0, {items} items", items, share / 2, draw)


def unbounded(items: int) -> Iterator[Cell]:
    """Yield means without bounds: numbers of steps, and a skewed one."""
    yield Cell(
        "unbounded",
        f"steps, {items} items",
        items,
        6.0,
        lambda g, r: (1.0 + g.poisson(5, (items, r)), np.ones((items, r))),
        None,
    )
    yield Cell(
        "unbounded",
        f"exponential, {items} items",
        items,
        1.0,
        lambda g, r: (g.exponential(1, (items, r)), np.ones((items, r))),
        None,
    )


def ratios(items: int) -> Iterator[Cell]:
    """Yield ratios of two means that are measured on the same items."""
    for mean in (0.8, 0.3):

        def draw(g: np.random.Generator, r: int, mean: float = mean) -> tuple[Floats, Floats]:
            below = 1.0 * (g.random((items, r)) < mean)
            return below * (g.random((items, r)) < 0.5), below

        yield Cell("ratio", f"shares, {mean} below, {items} items", items, 0.5, draw, None, of_means=True)

        def apart(g: np.random.Generator, r: int, mean: float = mean) -> tuple[Floats, Floats]:
            return g.beta(2, 3, (items, r)), g.beta(5 * mean, 5 * (1 - mean), (items, r))

        yield Cell("ratio", f"apart, {mean} below, {items} items", items, 0.4 / mean, apart, None, of_means=True)


def cells(items: tuple[int, ...] = ITEMS, values: tuple[float, ...] = SHARES) -> Iterator[Cell]:
    """Yield the whole grid."""
    for count in items:
        for p in values:
            yield from shares(count, p)
        for family in (differences, areas, unbounded, ratios):
            yield from family(count)


def counted(cell: Cell, tail: float, repetitions: int, seed: int) -> Count:
    """Simulate a cell."""
    found, rng = Count(cell, tail), np.random.default_rng([seed, cell.items])
    left = repetitions
    while left:
        now = min(left, max(1, MOST_NUMBERS // cell.items))
        num, den = cell.draw(rng, now)
        found.add(*cell.ends(Sums.of(num, den, num if cell.family == "share" else num * num), tail))
        left -= now
    found.check()
    return found


def curves(items: int, repetitions: int, seed: int) -> tuple[float, float]:
    """Return how often all 11 positions hold their true values at once: pointwise intervals, and the band."""
    rng, hits = np.random.default_rng([seed, items]), np.zeros(2)
    truth = np.linspace(0.3, 0.95, 11)
    for _ in range(repetitions):
        common, own = rng.standard_normal((items, 1)), rng.standard_normal((items, 11))
        num = 1.0 * (stats.norm.cdf(sqrt(0.7) * common + sqrt(0.3) * own) < truth)
        den = np.ones_like(num)
        crosses = Crosses.of(tuple(range(11)), num, den)
        for at, tail in enumerate((TAIL, simultaneous_tail(num.sum(axis=0), den.sum(axis=0), crosses))):
            low, high, _ = linearised(Sums.of(num, den), SHARE, tail)
            hits[at] += bool(((low <= truth) & (truth <= high)).all())
    pointwise, band = hits / repetitions
    return float(pointwise), float(band)


def aurocs(repetitions: int, seed: int) -> Iterator[Count]:
    """Yield AUROCs: true value, clusters, chains an item, how far labels go with the item (ICC), their share."""
    for clusters, truth in itertools.product((20, 50, 200), (0.5, 0.7, 0.9, 0.99)):
        for icc, most, share in ((0.0, 1, 0.5), (0.3, 12, 0.5), (1.0, 12, 0.5), (1.0, 12, 0.2)):
            name = f"{truth}, {clusters} items, 1-{most}, ICC {icc}, {share}"
            count = Count(Cell("AUROC", name, clusters, truth, _nothing), TAIL)
            rng = np.random.default_rng([seed, clusters, most])
            for _ in range(repetitions):
                drawn = _labelled(rng, clusters, truth, icc, most, share)
                count.hold(auroc(*drawn, seed=int(rng.integers(2**31)), n_boot=500))
            count.check()
            yield count


def mixtures(repetitions: int, seed: int) -> Iterator[Count]:
    """Yield AUROCs of a class of which a small share scores below the whole other one."""
    for positive, share in ((10, 0.2), (20, 0.1), (20, 0.3), (50, 0.05)):
        count = Count(Cell("AUROC", f"{share} of {positive} below all", positive, 1 - share, _nothing), TAIL)
        rng = np.random.default_rng([seed, positive])
        labels = [True] * positive + [False] * 2 * positive
        for _ in range(repetitions):
            high = np.where(rng.random(positive) < share, -9.0, 9.0)
            scores = np.r_[high, np.zeros(2 * positive)] + rng.standard_normal(3 * positive)
            count.hold(auroc(scores.tolist(), labels, range(len(labels)), seed=int(rng.integers(2**31)), n_boot=500))
        count.check()
        yield count


def strata(repetitions: int, seed: int) -> Iterator[Count]:
    """Yield AUROCs within strata that differ in their scores and their share of labels, one or two chains an item."""
    for clusters, parts, truth in itertools.product((30, 100), (3, 12), (0.5, 0.7, 0.9)):
        count = Count(Cell("AUROC", f"{truth}, {clusters} items in {parts} strata", clusters, truth, _nothing), TAIL)
        rng = np.random.default_rng([seed, clusters, parts])
        for _ in range(repetitions):
            cluster = np.repeat(np.arange(clusters), rng.integers(1, 3, clusters))
            stratum = rng.integers(0, parts, len(cluster))
            label = rng.random(len(cluster)) < (0.2 + 0.6 * stratum / (parts - 1))
            score = sqrt(2) * stats.norm.ppf(truth) * label + 3 * stratum + rng.standard_normal(len(cluster))
            own_seed = int(rng.integers(2**31))
            count.hold(auroc(score.tolist(), label.tolist(), cluster.tolist(), own_seed, 500, stratum.tolist()))
        count.check()
        yield count


def _nothing(rng: np.random.Generator, repetitions: int) -> tuple[Floats, Floats]:
    raise AssertionError("AUROCs are drawn one by one")


def _labelled(
    rng: np.random.Generator, clusters: int, truth: float, icc: float, most: int, share: float
) -> tuple[list[float], list[bool], list[int]]:
    sizes = rng.integers(1, most + 1, clusters)
    cluster = np.repeat(np.arange(clusters), sizes)
    own = rng.random(clusters) < share if icc == 1 else np.full(clusters, share)
    if 0 < icc < 1:
        own = rng.beta(share * (1 - icc) / icc, (1 - share) * (1 - icc) / icc, clusters)
    label = rng.random(len(cluster)) < np.repeat(own.astype(float), sizes)
    shift = sqrt(2) * stats.norm.ppf(truth)
    score = sqrt(0.3) * np.repeat(rng.standard_normal(clusters), sizes) + sqrt(0.7) * rng.standard_normal(len(cluster))
    return (score + shift * label).tolist(), label.tolist(), cluster.tolist()


def worst(found: list[Count], most: int) -> list[Count]:
    """Return the cells with the lowest coverage of each family and level."""
    groups: dict[tuple[str, float], list[Count]] = {}
    for one in found:
        groups.setdefault((one.cell.family, one.tail), []).append(one)
    return [
        one
        for group in groups.values()
        for one in sorted(group, key=lambda c: -(c.above + c.below) / max(c.n, 1))[:most]
    ]


def main() -> int:
    """Print the table; return 1 if a cell fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20_000)
    parser.add_argument("--auroc-repetitions", type=int, default=1_000)
    parser.add_argument("--curve-repetitions", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="print every cell")
    given = parser.parse_args()
    found = [counted(one, tail, given.repetitions, given.seed) for tail in (TAIL, SMALL) for one in cells()]
    for simulated in (aurocs, mixtures, strata):
        found += simulated(given.auroc_repetitions, given.seed)
    print(f"{'family':14} {'cell':28} {'level':>9} {'coverage':>8} {'upper':>9} {'lower':>9} {'width':>7} {'none':>6}")
    for one in found if given.all else worst(found, 5):
        print(one.line())
    for items in (20, 50, 200):
        pointwise, band = curves(items, given.curve_repetitions, given.seed)
        print(f"curve of 11 positions, {items} items: all at once, pointwise {pointwise:.3f}, band {band:.3f}")
    failed = [one for one in found if one.failed]
    print(f"{len(found)} cells, {len(failed)} beyond what is asked for")
    for one in failed:
        print(one.line())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
