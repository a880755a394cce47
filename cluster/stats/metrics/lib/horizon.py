"""The difficulty at which accuracy falls half-way from its ceiling to chance, by a logistic curve.

In: accuracy at each difficulty, as counts. Out: the horizon with its interval, or the side on which it lies outside the
tested range. With c the chance at a difficulty x

    accuracy(x) = c + (1 - c) s / (1 + exp(b (x - h))),  0 < s <= 1, b > 0

The ceiling, c + (1 - c) s, is fitted with b and h by maximum likelihood; at x = h accuracy is half-way. b is between
1 and 20 (levels - 1) over the tested range: a curve that is flatter has no end in it, and no data tell steeper ones
apart. The interval holds the h that a likelihood-ratio test does not reject (profile likelihood). An end outside the
tested range is not known: it is None. ``benchmarks/difficulty.py`` prints how often the interval covers.

Shapes: D = levels, A = ceilings, B = steepnesses, H = horizons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from cotfaith.cluster.stats.metrics.lib.necessity import is_at_chance
from cotfaith.cluster.stats.metrics.lib.sums import TAIL, Floats, clopper_pearson
from cotfaith.cluster.stats.metrics.lib.words import BEYOND

FEWEST = 3
"""Levels that a curve with a ceiling, a steepness and a place needs."""
_CEILINGS_A = np.linspace(0.02, 1.0, 25)
_STEEPEST, _N_STEEP, _N_PLACES = 20.0, 20, 61
_LEAST = 1e-9


@dataclass(frozen=True)
class Horizon:
    """A difficulty, with its interval; null if it lies outside the tested range, or if nothing is known."""

    value: float | None
    low: float | None
    high: float | None
    why: str
    """How the interval was made, or why there is no value."""


@dataclass(frozen=True)
class _Data:
    """Answers by difficulty, each of shape D: ``n`` of them, ``right`` of these."""

    x: Floats
    right: Floats
    n: Floats
    chance: Floats

    def fit(self, s: Floats, b: Floats, h: Floats) -> Floats:
        """Return the log-likelihood of curves, in the common shape of the arguments; b in ranges of x."""
        found = np.zeros(np.broadcast(s, b, h).shape)
        scale = b / (self.x[-1] - self.x[0])
        for x, right, n, chance in zip(self.x, self.right, self.n, self.chance, strict=True):
            p = chance + (1 - chance) * s / (1 + np.exp(np.clip(scale * (x - h), -500, 500)))
            p = np.clip(p, _LEAST, 1 - _LEAST)
            found += right * np.log(p) + (n - right) * np.log1p(-p)
        return found


def horizon(
    x_D: Sequence[float],
    right_D: Sequence[float],
    n_D: Sequence[float],
    chance_D: Sequence[float],
    tail: float = TAIL,
) -> Horizon:
    """Return the horizon.

    Args:
        x_D: difficulties, the easiest first.
        right_D: the number of right answers at each.
        n_D: the number of answers.
        chance_D: the share that guessing gets right.
        tail: the probability of missing the horizon on either side.

    """
    if len(x_D) < FEWEST:
        return Horizon(None, None, None, ("no_difficulty", "one_difficulty", "two_difficulties")[len(x_D)])
    data = _Data(*(np.asarray(one, dtype=np.float64) for one in (x_D, right_D, n_D, chance_D)))
    cut = float(stats.chi2.isf(2 * tail, 1))
    places_H, profile_H, best, at = _profile(data)
    if 2 * (best - _at_chance(data)) <= cut:
        return _none_above_chance(data)
    first, last = float(data.x[0]), float(data.x[-1])
    low, high = _ends(places_H, 2 * (best - profile_H) - cut, first, last)
    if at > last:
        return Horizon(None, low, None, f"{BEYOND}above {last:g}")
    if at < first:
        return Horizon(None, None, high, f"{BEYOND}below {first:g}")
    return Horizon(at, low, high, "profile likelihood")


def _profile(data: _Data) -> tuple[Floats, Floats, float, float]:
    """Return places, the best log-likelihood at each, the best of all, and where that is."""
    span = data.x[-1] - data.x[0]
    places_H = np.linspace(data.x[0] - span, data.x[-1] + span, 3 * _N_PLACES - 2)
    steep_B = np.geomspace(1.0, _STEEPEST * (len(data.x) - 1), _N_STEEP)
    grid_ABH = data.fit(_CEILINGS_A[:, None, None], steep_B[None, :, None], places_H[None, None, :])
    a, b, h = np.unravel_index(int(grid_ABH.argmax()), grid_ABH.shape)
    start = np.array([_CEILINGS_A[a], np.log(steep_B[b]), places_H[h]])
    limits = [(_LEAST, 1.0), (0.0, float(np.log(steep_B[-1]))), (float(places_H[0]), float(places_H[-1]))]
    made = optimize.minimize(
        lambda z: -float(data.fit(z[0], np.exp(z[1]), z[2])), start, method="L-BFGS-B", bounds=limits
    )
    best, at = (-float(made.fun), float(made.x[2])) if -made.fun >= grid_ABH.max() else (grid_ABH.max(), start[2])
    return places_H, grid_ABH.max(axis=(0, 1)), float(best), float(at)


def _at_chance(data: _Data) -> float:
    p_D = np.clip(data.chance, _LEAST, 1 - _LEAST)
    return float(data.right @ np.log(p_D) + (data.n - data.right) @ np.log1p(-p_D))


def _none_above_chance(data: _Data) -> Horizon:
    """Return the horizon if no accuracy is above chance: it is below the range, unless there are too few items."""
    n, chance = round(float(data.n[0])), float(data.chance[0])
    easiest = clopper_pearson(min(n, round(float(data.right[0]))), n)
    if is_at_chance(easiest, chance):
        return Horizon(None, None, None, f"{BEYOND}below {data.x[0]:g}")
    return Horizon(None, None, None, "too_few_items")


def _ends(places_H: Floats, over_H: Floats, first: float, last: float) -> tuple[float | None, float | None]:
    """Return the smallest and the largest place that is not rejected; None if it is outside the tested range."""
    kept = np.flatnonzero(over_H <= 0)
    if not len(kept):
        return None, None
    low, high = (_crossing(places_H, over_H, int(kept[at]), step) for at, step in ((0, -1), (-1, 1)))
    return (min(low, last) if low >= first else None), (max(high, first) if high <= last else None)


def _crossing(places_H: Floats, over_H: Floats, at: int, step: int) -> float:
    """Return the place between ``at``, which is kept, and its neighbour, which is not, where the test rejects."""
    if not 0 <= at + step < len(places_H):
        return float(places_H[at]) + step
    share = -over_H[at] / (over_H[at + step] - over_H[at])
    return float(places_H[at] + share * (places_H[at + step] - places_H[at]))
