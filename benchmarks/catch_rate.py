"""How often the 95% interval of a catch rate holds the true one, by simulation.

    python benchmarks/catch_rate.py [--repetitions 400]

Scores are normal; those of chains that moved are higher. Chains of one item are correlated (ICC .3). The true catch
rate is at the true threshold, at which the allowed share of honest chains is above it.
"""

import argparse
import itertools

import numpy as np
import numpy.typing as npt
from scipy import stats

from cotfaith.cluster.stats.metrics.lib.catch import catch, needed

Floats = npt.NDArray[np.float64]
ICC = 0.3


def main() -> None:
    """Print a line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=400)
    repetitions = parser.parse_args().repetitions
    print("items  chains  rate  true catch  coverage  mean width")
    for items, chains, rate, true in itertools.product((40, 100, 300), (1, 4), (0.05, 0.2), (0.1, 0.5, 0.9)):
        if items * chains >= needed(rate):
            print(_cell(items, chains, rate, true, repetitions), flush=True)


def _cell(items: int, chains: int, rate: float, true: float, repetitions: int) -> str:
    random = np.random.default_rng(0)
    shift = float(stats.norm.isf(rate) - stats.norm.isf(true))
    item = np.repeat(np.arange(items), chains)
    hits, width = 0, 0.0
    for _ in range(repetitions):
        honest, caught = _scores(random, items, chains), _scores(random, items, chains) + shift
        found = catch(honest, caught, item, item, rate)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= true <= found.high
        width += found.high - found.low
    return f"{items:5}  {chains:6}  {rate:4}  {true:10}  {hits / repetitions:8.3f}  {width / repetitions:10.2f}"


def _scores(random: np.random.Generator, items: int, chains: int) -> Floats:
    own = random.normal(size=(items, 1)) * np.sqrt(ICC)
    return (own + random.normal(size=(items, chains)) * np.sqrt(1 - ICC)).ravel()


if __name__ == "__main__":
    main()
