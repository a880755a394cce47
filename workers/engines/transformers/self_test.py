"""Does a model score a small random tree as it scores plain rows? If not, the engine does without the prefix tree.

In: both ways of scoring, and what the model can read. Out: what is wrong, in words; empty if nothing is. Knows nothing
about how either way works.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from cotfaith.workers.engines.next_tokens import Prefix, Wanted

TOLERANCE = {torch.float32: 5e-4, torch.bfloat16: 0.3, torch.float16: 0.1}
"""The most nats by which a tree's log-probabilities may differ from plain ones (low precision: median)."""
NOISY, NOISIER = 0.1, 10
"""In float32, this share of the tokens may differ by this many times as much. On random tokens, plain scoring itself
can differ from float64 by that: by 6e-4 nats for SmolLM2-135M with weights rounded to bfloat16.
"""
CUT_PASSES = 5
"""The nodes of a pass, few enough that one pass continues from another."""
FAULTS = (TypeError, ValueError, RuntimeError, IndexError, AttributeError, KeyError, NotImplementedError)
"""What a model raises that cannot be called in an unusual way. A lack of memory is among them, and says nothing."""
LogProbs = Mapping[Prefix, Mapping[int, float]]


def tree_fault(
    plain: Callable[[Wanted], LogProbs],
    shared: Callable[[Wanted, int], LogProbs],
    vocab_size: int,
    longest: int,
    dtype: torch.dtype,
) -> str:
    """Return why the tree cannot be used; empty if it can. ``shared`` also takes the nodes of a pass.

    Raises:
        torch.OutOfMemoryError: there is no room for the test.

    """
    sequences = random_tree(vocab_size, longest)
    wanted = {row[:n]: {row[n]} for row in sequences for n in range(1, len(row))}
    try:
        expected, found = plain(wanted), shared(wanted, CUT_PASSES)
    except torch.OutOfMemoryError:
        raise
    except FAULTS as error:
        return f"self-test failed: {type(error).__name__}: {str(error)[:200]}"
    gaps = np.abs([expected[prefix][token] - found[prefix][token] for prefix in expected for token in expected[prefix]])
    gap = most_but_noise(gaps) if dtype == torch.float32 else float(np.median(gaps))
    return "" if gap <= TOLERANCE[dtype] else f"self-test differs from plain scoring by {gap:.2g} nats"


def most_but_noise(gaps: NDArray[np.float64]) -> float:
    """Return the largest gap, of which the noisiest tokens' count less."""
    return max(float(np.quantile(gaps, 1 - NOISY)), float(gaps.max()) / NOISIER)


def random_tree(vocab_size: int, longest: int) -> list[Prefix]:
    """Return sequences that branch at several depths, and one that shares nothing; none is above ``longest`` tokens."""
    rng = np.random.default_rng(0)

    def run(count: int) -> Prefix:
        return tuple(rng.integers(0, vocab_size, count).tolist())

    trunk = run(8)
    rows = [trunk + run(6), trunk + run(3), trunk[:4] + run(9), run(7)]
    return [row[: max(longest, 2)] for row in rows]
