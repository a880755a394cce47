"""How often `compare` finds a difference in reliance between two models that differ in skill only.

    python benchmarks/matched_skill.py [REPETITIONS]

A mechanism, not the estimator's own assumption: each item is answered from the chain with one probability, the same for
both models, and else from skill, as without a chain. The second model has more skill on every item but for noise. Its
raw reliance differs; at matched skill a difference should be found as often as the level says, .05.
"""

import sys

import numpy as np
import numpy.typing as npt
import polars as pl

from cotfaith.cluster.verdicts.comparing.differences import Difference, difference
from cotfaith.cluster.verdicts.comparing.matched import alike_items

FROM_CHAIN = 0.6
ACCURACY = 0.9
SIZES = (200, 1000, 5000)


def drawn(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return n items: p_a and p_b, the skill of both models; a and b, whether the chain changed the answer."""
    ease_I = rng.normal(size=n)
    sides: dict[str, npt.NDArray[np.float64]] = {}
    for name, more in (("a", -1.0), ("b", 0.5)):
        p_I = 1 / (1 + np.exp(-(ease_I + more + 0.5 * rng.normal(size=n))))
        without_I, is_from_chain_I = rng.random(n) < p_I, rng.random(n) < FROM_CHAIN
        with_I = np.where(is_from_chain_I, rng.random(n) < ACCURACY, without_I)
        sides |= {f"p_{name}": p_I, name: (without_I != with_I).astype(np.float64)}
    return pl.DataFrame({"item_id": [f"{i}" for i in range(n)], **sides})


def is_found(one: Difference) -> bool:
    """Return whether the interval leaves out 0."""
    return one.low is not None and one.high is not None and not one.low <= 0 <= one.high


def main(repetitions: int) -> None:
    """Print a line for each number of items."""
    rng = np.random.default_rng(0)
    for n in SIZES:
        raw, own, share = np.zeros((3, repetitions))
        for k in range(repetitions):
            items = drawn(n, rng)
            alike = items.filter(alike_items(items.select(a="p_a", b="p_b")))
            raw[k], own[k] = (is_found(difference(one, (0.0, 1.0))) for one in (items, alike))
            share[k] = len(alike) / n
        print(f"{n:5} items: raw {raw.mean():.3f}, matched {own.mean():.3f}, on {share.mean():.1%} of the items")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
