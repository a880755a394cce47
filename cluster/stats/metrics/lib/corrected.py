"""A rate corrected for its judge's errors, with an interval over the rate's chains and over the labelled ones.

In: sums by item, of the chains that a judge read and of those that people labelled. Out: the corrected rate, or why
there is none. Knows nothing about tables. With p the share of chains for which the judge says yes, q0 its specificity
and q1 its sensitivity (Lee et al. 2025, arXiv 2511.21140; Rogan and Gladen 1978)

    theta = (p + q0 - 1) / (q0 + q1 - 1), within [0, 1]

The paper's interval (adjusted as by Lang and Reiczigel 2014) takes chains as independent, and misses more often than it
says where a class has few labels. So the ends are melded (Bayer, Fay and Graubard 2023): each rate has a lower and an
upper confidence distribution (Clopper-Pearson), Beta(x, n - x + 1) and Beta(x + 1, n - x). The lower end of theta is
the quantile ``tail`` of theta drawn from the lower ones of p and q0 and the upper one of q1; the upper end is the
quantile 1 - tail of the opposite. A draw with q0 + q1 <= 1 says nothing: it counts at the end that is asked for. Chains
of one item are alike and labels may have weights, so n is the effective number of independent chains,

    n = r (1 - r) / v - 2 a,  v the linearised variance over items of the rate r, with two pseudo-items of weight a
        (as in ``intervals.py``); of labels, at most their number. For few items' sake, that of p is divided by
        t(k + 1, tail)^2 / z(tail)^2 * (k + 2) / (k + 1), k = (sum size)^2 / sum size^2. Most labels are of different
        items, so theirs is not.

p, q0 and q1 are taken as independent, also where the labelled chains are some of the rate's: errors that they share
cancel in theta, so the interval is then too wide rather than too narrow. ``benchmarks/corrected_rates.py`` prints how
often it covers. The draws are the same each time.

Shapes: V = distinct vectors of items, D = draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import stats

from cotfaith.cluster.stats.metrics.lib.function import Floats, Smooth
from cotfaith.cluster.stats.metrics.lib.pseudo import pseudo_weight

SUMS = ("judged", "said", "m0", "right0", "m1", "right1", "labels0", "labels1")
"""Of an item: chains that the judge read, in the rate's weights, and those for which it said yes; of its chains that
are labelled no, their weights and those of them for which the judge said no; likewise for yes; the numbers of both."""
CANNOT_TELL, NO_LABELS = "judge_cannot_tell", "class_without_labels"
NOT_READ, MORE_ITEMS = "no_readings", "more_items"
"""Why there is no figure. ``MORE_ITEMS``: no number of labels halves the interval."""
_DRAWS = 10_000


@dataclass(frozen=True)
class Rate:
    """A rate of independent trials, as many as have the information of its chains."""

    value: float
    n: float
    n_eff: float
    """Items of equal weight with as much information."""

    def drawn(self, rng: np.random.Generator, *, upper: bool) -> Floats:
        """Return draws (D) from its upper or lower confidence distribution."""
        yes, no = self.value * self.n, (1 - self.value) * self.n
        ones, zeros = rng.standard_gamma(yes + upper, _DRAWS), rng.standard_gamma(no + (not upper), _DRAWS)
        found: Floats = ones / (ones + zeros)
        return found

    @property
    def variance(self) -> float:
        """The variance of the rate, with one success and one failure added: 0 for no rate."""
        n = self.n + 2
        value = (self.value * self.n + 1) / n
        return value * (1 - value) / n


@dataclass(frozen=True)
class Rates:
    """What a corrected rate is made of."""

    p: Rate
    q0: Rate
    q1: Rate
    labels: int

    @property
    def value(self) -> float:
        """The corrected rate."""
        return float(theta(self.p.value, self.q0.value, self.q1.value))

    def ends(self, tail: float) -> tuple[float, float] | None:
        """Return the melded ends of the corrected rate; None if the judge cannot tell the classes apart."""
        rng = np.random.default_rng(0)
        low0, low1 = self.q0.drawn(rng, upper=False), self.q1.drawn(rng, upper=False)
        if self.q0.value + self.q1.value <= 1 or np.quantile(low0 + low1 - 1, tail) <= 0:
            return None
        high0, high1 = self.q0.drawn(rng, upper=True), self.q1.drawn(rng, upper=True)
        low = theta(self.p.drawn(rng, upper=False), low0, high1, 0.0)
        high = theta(self.p.drawn(rng, upper=True), high0, low1, 1.0)
        return float(np.quantile(low, tail)), float(np.quantile(high, 1 - tail))


def theta(p: Floats | float, q0: Floats | float, q1: Floats | float, unknown: float = np.nan) -> Floats:
    """Return the corrected rate, within [0, 1]; ``unknown`` where q0 + q1 does not exceed 1."""
    j = np.asarray(q0) + q1 - 1.0
    found = np.divide(np.asarray(p) + q0 - 1.0, j, out=np.full(np.broadcast(p, j).shape, unknown), where=j > 0)
    cut: Floats = np.clip(found, 0.0, 1.0)
    return cut


def rate(num_V: Floats, den_V: Floats, counts_V: Floats, tail: float, labels: float | None = None) -> Rate:
    """Return sum(num) / sum(den) over items with its effective numbers; ``labels``: their number, if it is of them."""
    total, squares = float(counts_V @ den_V), float(counts_V @ den_V**2)
    a, m, k = pseudo_weight(tail), squares / total, total**2 / squares
    r, size = (float(counts_V @ num_V) + a * m) / (total + 2 * a * m), total + 2 * a * m
    residuals = float(counts_V @ (num_V - r * den_V) ** 2) + a * m**2 * (r**2 + (1 - r) ** 2)
    n = float(np.clip(r * (1 - r) * size**2 / residuals - 2 * a, 0.0, labels))
    if labels is None:
        n /= float((stats.t.isf(tail, k + 1) / stats.norm.isf(tail)) ** 2 * (k + 2) / (k + 1))
    return Rate(float(counts_V @ num_V) / total, n, k)


def rates(vectors_VK: Floats, counts_V: Floats, tail: float) -> Rates | str:
    """Return the three rates; or why one is not known."""
    of = dict(zip(SUMS, vectors_VK.T, strict=False))
    n0, n1 = (float(counts_V @ of[name]) for name in ("labels0", "labels1"))
    if not counts_V @ of["judged"] > 0:
        return NOT_READ
    if not (n0 > 0 and n1 > 0):
        return NO_LABELS
    return Rates(
        rate(of["said"], of["judged"], counts_V, tail),
        rate(of["right0"], of["m0"], counts_V, tail, n0),
        rate(of["right1"], of["m1"], counts_V, tail, n1),
        round(n0 + n1),
    )


def corrected(vectors_VK: Floats, counts_V: Floats, tail: float) -> Smooth:
    """Return the corrected rate with its ends; without both classes, or where the judge cannot tell, why not."""
    found = rates(vectors_VK, counts_V, tail)
    if isinstance(found, str):
        return _nothing(found)
    ends = found.ends(tail)
    if ends is None:
        return _nothing(CANNOT_TELL)
    low, high = min(ends[0], found.value), max(ends[1], found.value)
    return Smooth(found.value, low, high, "melded", found.p.n_eff)


def labels_to_halve(vectors_VK: Floats, counts_V: Floats, tail: float) -> Smooth:
    """Return how many more labels halve the interval, drawn as those that there are; or why there is no number.

    The variance of theta has a part of the chains and two of the labels, by the delta method. More labels divide the
    second two by the factor by which there are more.
    """
    found = rates(vectors_VK, counts_V, tail)
    if isinstance(found, str):
        return _nothing(found)
    if found.ends(tail) is None:
        return _nothing(CANNOT_TELL)
    of_chains = found.p.variance
    of_labels = (1 - found.value) ** 2 * found.q0.variance + found.value**2 * found.q1.variance
    room = (of_chains + of_labels) / 4 - of_chains
    if room <= 0:
        return _nothing(MORE_ITEMS)
    return Smooth(float(ceil((of_labels / room - 1) * found.labels)), None, None, "delta", found.p.n_eff)


def of_one(which: str) -> Callable[[Floats, Floats, float], Smooth]:
    """Return the function that makes the sensitivity ("q1") or the specificity ("q0") of the judge, with its ends."""

    def made(vectors_VK: Floats, counts_V: Floats, tail: float) -> Smooth:
        of, n = dict(zip(SUMS, vectors_VK.T, strict=False)), which[1]
        labels = float(counts_V @ of[f"labels{n}"])
        if not labels > 0:
            return _nothing(NO_LABELS)
        own, rng = rate(of[f"right{n}"], of[f"m{n}"], counts_V, tail, labels), np.random.default_rng(0)
        low = float(np.quantile(own.drawn(rng, upper=False), tail))
        high = float(np.quantile(own.drawn(rng, upper=True), 1 - tail))
        return Smooth(own.value, min(low, own.value), max(high, own.value), "melded", own.n_eff)

    return made


def _nothing(why: str) -> Smooth:
    return Smooth(None, None, None, "too_few_items", 0.0, why=why)
