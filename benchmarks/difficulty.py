"""How often the intervals of no-CoT horizons and of trends over difficulty hold the true value, by simulation.

    python benchmarks/difficulty.py
    python benchmarks/difficulty.py --repetitions 1000  # minutes

It times nothing, needs no weights, and its table is the same on every machine. Answers are right with the probability
of a logistic curve (horizons), or an item has 5 chains with values 0 or 1 and a rate of its own, which rises by a
fixed amount per level (trends). ``below`` is the share of repetitions whose interval lies below the true value,
``above`` that of those above it; both are 0.025 by claim. An end outside the tested range is no end. It exits with 1
if a horizon is missed more often than in 8% of the repetitions, or a trend more often than in 7%, beyond the noise.
"""

import argparse
import sys
from collections.abc import Iterator
from math import sqrt

import numpy as np

from cotfaith.cluster.stats.intervals import Sums
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE
from cotfaith.cluster.stats.metrics.lib.horizon import horizon
from cotfaith.cluster.stats.metrics.lib.trend import trend

LEVELS = np.array([1.0, 2.0, 4.0, 6.0, 8.0])
HORIZONS = [
    (n, chance, ceiling, h) for n in (8, 20, 100) for chance, ceiling, h in ((0.1, 0.95, 3.0), (0.25, 0.8, 5.0))
]
TRENDS = [(n, first, slope) for n in (8, 20, 100) for first, slope in ((0.1, 0.0), (0.2, 0.15), (1.0, 0.0))]
_CHAINS = 5
Ends = tuple[float | None, float | None]


def horizon_ends(rng: np.random.Generator, n: int, chance: float, ceiling: float, h: float) -> Ends:
    """Return one drawn interval of a horizon, from ``n`` items a level."""
    p_D = chance + (ceiling - chance) / (1 + np.exp(1.2 * (LEVELS - h)))
    levels, n_D = LEVELS.tolist(), [float(n)] * len(LEVELS)
    found = horizon(levels, rng.binomial(n, p_D).tolist(), n_D, [chance] * len(LEVELS))
    return found.low, found.high


def trend_ends(rng: np.random.Generator, n: int, first: float, slope: float) -> Ends:
    """Return one drawn interval of a trend, from ``n`` items a level of 5 chains each."""
    levels = []
    for at in range(len(LEVELS)):
        rate = min(first + slope * at, 1.0)
        own = rng.beta(2 * rate, 2 * (1 - rate), n) if 0 < rate < 1 else np.full(n, rate)
        num_I = rng.binomial(_CHAINS, own).astype(np.float64)
        sums = Sums.of(num_I, np.full(n, float(_CHAINS)), num_I)
        levels.append({name: getattr(sums, name) for name in ("num", "den", "num2", "cross", "den2", "squares")})
    found = trend(levels, SHARE)
    return found.low, found.high


def cells(repetitions: int) -> Iterator[tuple[str, float, float, float]]:
    """Yield each cell's name, how often its interval lies below and above the truth, and what it may miss."""
    for n, chance, ceiling, h in HORIZONS:
        rng = np.random.default_rng(0)
        drawn = [horizon_ends(rng, n, chance, ceiling, h) for _ in range(repetitions)]
        yield f"horizon {h:g}, chance {chance}, ceiling {ceiling}, {n} items a level", *missed(drawn, h), 0.08
    for n, first, slope in TRENDS:
        rng = np.random.default_rng(0)
        drawn = [trend_ends(rng, n, first, slope) for _ in range(repetitions)]
        yield f"trend {slope:+.2f} from {first}, {n} items a level", *missed(drawn, slope), 0.07


def missed(drawn: list[Ends], truth: float) -> tuple[float, float]:
    """Return the shares of the intervals that lie below and above the truth."""
    below = sum(high is not None and high < truth for _, high in drawn) / len(drawn)
    above = sum(low is not None and low > truth for low, _ in drawn) / len(drawn)
    return below, above


def main() -> int:
    """Print the table; return 1 if an interval misses too often."""
    parser = argparse.ArgumentParser(description="Coverage of horizons and trends")
    parser.add_argument("--repetitions", type=int, default=300)
    repetitions, worst = parser.parse_args().repetitions, 0
    print(f"{'below':>6} {'above':>6}  cell")
    for name, below, above, most in cells(repetitions):
        noise = 3 * sqrt(most * (1 - most) / repetitions)
        bad = below + above > most + noise
        worst = max(worst, int(bad))
        print(f"{below:6.3f} {above:6.3f}  {name}{'  misses too often' * bad}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
