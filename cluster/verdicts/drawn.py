"""Figures of many small runs drawn from a pool of items, tested at once.

In: a pool's sums by item, and which items each draw has. Out: for each draw the figures that verdicts test, with the
p-values and ends that the same items would have in a run of their own. Shapes: D = draws, N = items of a draw.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np
import numpy.typing as npt
from scipy import stats

from cotfaith.cluster.stats.intervals import Sums, linearised
from cotfaith.cluster.stats.inverted import LARGEST, SMALLEST
from cotfaith.cluster.stats.metrics import find_metric
from cotfaith.cluster.stats.metrics.lib.bounds import Bounds
from cotfaith.cluster.stats.metrics.lib.catch import needed
from cotfaith.cluster.verdicts.item_sums import Figure, Floats, ItemSums, Pool
from cotfaith.cluster.verdicts.policy import Policy
from cotfaith.cluster.verdicts.quantities import Bounded, Quantity

Ints = npt.NDArray[np.int64]
_STEPS = 40
CAUGHT, FLAGGED, FALSE = "monitor_caught", "monitor_flagged_switched", "monitor_false_positives"
_NAMES = ("n", "num", "den", "num2", "cross", "den2", "squares")


@dataclass(frozen=True)
class Levels:
    """What is known of one figure in each draw (D)."""

    value: Floats
    """nan: there is none."""
    n_items: Ints
    low: Floats
    high: Floats
    above: Mapping[float, Floats] = field(default_factory=dict)
    """Threshold -> p-values of "it is not above it"."""
    below: Mapping[float, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn(Quantity):
    """One figure of one draw, with the p-values that are asked for."""

    p_above: Mapping[float, float] = field(default_factory=dict)
    p_below: Mapping[float, float] = field(default_factory=dict)

    def above(self, threshold: float) -> float:
        """Return the p-value of "it is not above the threshold"."""
        return self.p_above[threshold]

    def below(self, threshold: float) -> float:
        """Return the p-value of "it is not below the threshold"."""
        return self.p_below[threshold]


def draws(n_items: int, size: int, number: int, seed: int) -> Ints:
    """Return draws (D, N) of different items."""
    rng = np.random.default_rng([seed, size])
    return np.stack([rng.choice(n_items, size, replace=False, shuffle=False) for _ in range(number)])


def sums_of(one: ItemSums, draws_DN: Ints) -> Sums:
    """Return the sums of each draw (D)."""
    num, den, squares = (values[draws_DN] for values in (one.num, one.den, one.squares))
    n = ((num != 0) | (den != 0)).sum(axis=1).astype(np.float64)
    parts = (num, den, num * num, num * den, den * den, squares)
    return Sums(n, *(part.sum(axis=1) for part in parts))


def levels(sums: Sums, n_items: Ints, bounds: Bounds, above: Sequence[float], below: Sequence[float]) -> Levels:
    """Return the figures of each draw, with p-values for these thresholds."""
    enough = (sums.n >= 2) & (sums.den > 0)
    value = np.divide(sums.num, sums.den, out=np.full(sums.num.shape, np.nan), where=sums.den > 0)
    low, high, _ = linearised(sums, bounds)
    return Levels(
        value,
        n_items,
        np.where(enough, low, np.nan),
        np.where(enough, high, np.nan),
        {at: _p_values(sums, bounds, at, enough, is_above=True) for at in above},
        {at: _p_values(sums, bounds, at, enough, is_above=False) for at in below},
    )


def _p_values(sums: Sums, bounds: Bounds, threshold: float, enough: npt.NDArray[np.bool_], *, is_above: bool) -> Floats:
    """Return the smallest level (D) at which the interval leaves the threshold out, as ``stats/inverted.py`` does."""

    def clears(log_tail: Floats) -> npt.NDArray[np.bool_]:
        low, high, _ = linearised(sums, bounds, np.exp(log_tail))
        with np.errstate(invalid="ignore"):
            return enough & ((low > threshold) if is_above else (high < threshold))

    low, high = np.full(sums.num.shape, log(SMALLEST)), np.full(sums.num.shape, log(LARGEST))
    ever, always = clears(high), clears(low)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = clears(middle)
        low, high = np.where(found, low, middle), np.where(found, middle, high)
    return np.where(always, SMALLEST, np.where(ever, np.exp(high), 1.0))


def caught(flagged: Sums, false: Sums, rate: float, above: Sequence[float], below: Sequence[float]) -> Levels:
    """Return the catch rates of a monitor that says yes or no (``lib/catch.py``); its level is exact."""
    n_honest, n_moved = false.den, flagged.den
    with np.errstate(invalid="ignore", divide="ignore"):
        able = (n_honest >= needed(rate)) & (n_moved > 0) & (false.num / n_honest <= rate)
        value = np.where(able, flagged.num / n_moved, np.nan)
    hits, items = value * flagged.n, flagged.n
    return Levels(
        value,
        items.astype(np.int64),
        np.where(value > 0, stats.beta.ppf(0.025, hits, items - hits + 1), 0.0) + 0 * value,
        np.where(value < 1, stats.beta.ppf(0.975, hits + 1, items - hits), 1.0) + 0 * value,
        {at: _exact(np.where(value > 0, stats.beta.cdf(at, hits, items - hits + 1), 1.0), able) for at in above},
        {at: _exact(np.where(value < 1, stats.beta.sf(at, hits + 1, items - hits), 1.0), able) for at in below},
    )


def _exact(p_value: Floats, able: npt.NDArray[np.bool_]) -> Floats:
    return np.where(able & (p_value < LARGEST), np.maximum(p_value, SMALLEST), 1.0)


def figures(pool: Pool, draws_DN: Ints, rate: float, policy: Policy) -> dict[Figure, Levels]:
    """Return what is known of each figure of a pool in each draw, with the p-values that a policy asks for.

    ``rate``: the false-positive rate that monitors are held to; they say yes or no.
    """
    found = {}
    for (title, variant), one in pool.figures.items():
        metric = find_metric(*_parts(title))
        sums = sums_of(one, draws_DN)
        if metric.name == FLAGGED:
            continue
        if metric.name == FALSE:
            own, moved = (
                title.replace(FALSE, CAUGHT),
                pool.figures.get((title.replace(FALSE, FLAGGED), variant), _none(one)),
            )
            found[own, variant] = caught(sums_of(moved, draws_DN), sums, rate, *policy.thresholds(own))
            continue
        assert metric.bounds is not None, f"{title} has bounds"
        n_items = (one.den[draws_DN] > 0).sum(axis=1)
        found[title, variant] = levels(sums, n_items, metric.bounds, *policy.thresholds(title))
    return found


def _none(like: ItemSums) -> ItemSums:
    """Return the sums of a figure that no item has: no chain moved, so none was flagged."""
    zeros = np.zeros(len(like.den))
    return ItemSums(zeros, zeros, zeros)


def _parts(title: str) -> tuple[str, str | None]:
    name, _, method = title.partition("/")
    return name, method or None


def quantities_of(found: Mapping[Figure, Levels], at: int) -> Iterator[Quantity]:
    """Yield the figures of one draw."""
    for (title, variant), one in found.items():
        name, method = _parts(title)
        value, low, high = (None if np.isnan(x[at]) else float(x[at]) for x in (one.value, one.low, one.high))
        p_above, p_below = ({t: float(p[at]) for t, p in side.items()} for side in (one.above, one.below))
        ends = _Ends(low, high)
        yield Drawn(name, method, variant, value, int(one.n_items[at]), ends, "", p_above, p_below)


@dataclass(frozen=True)
class _Ends:
    """The ends at the level of a 95% interval, whatever is asked for."""

    low: float | None
    high: float | None

    def __call__(self, _tail: float, _times: float) -> Bounded:
        return self.low, self.high
