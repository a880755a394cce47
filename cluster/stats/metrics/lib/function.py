"""What a metric is that is a function of several sums over items, and the vectors of those sums, item by item.

An item's vector holds its part of each sum. Items with equal vectors are counted together, so what is kept grows with
the number of different vectors. Knows nothing about probes; ``stats/smooth.py`` makes the intervals.

Shapes: K = ``WIDTH`` sums, V = different vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds

Floats = npt.NDArray[np.float64]
WIDTH = 8
"""Sums of one metric; those that it does not use are 0."""
PARTS = [f"v{k}" for k in range(WIDTH)]
"""The columns of an item's vector."""
COUNTED = ["n_total", "n_ok", "n_arms", "n_arms_ok"]

Kind = Literal["delta", "bootstrap", "melded", "too_few_items"]


@dataclass(frozen=True)
class Smooth:
    """A value with its interval; null if it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    kind: Kind
    n_eff: float
    undefined: float = 0.0
    """The share of the bootstrap's draws in which the function is undefined."""
    why: str | None = None
    """Why there is no value, although ``Function.value`` may be defined."""


@dataclass(frozen=True)
class Function:
    """A function of K sums that does not change if all of them are multiplied by one number."""

    value: Callable[[Floats], Floats]
    """(..., K) -> (...); nan where it is undefined; may lie outside of ``bounds``, where it is cut off."""
    why: Callable[[Floats], str]
    """(K) -> why it is undefined there."""
    denominators: Sequence[Callable[[Floats], Floats]]
    """What it divides by, in the same shapes: sums, or functions of them."""
    pseudo: Callable[[Floats, Floats], Floats]
    """Vectors (V, K) and the number of items with each (V) -> the pseudo-items (any number, K), each of weight 1."""
    bounds: Bounds
    size: int = 0
    """Which of the sums is the number of answers behind an item's part."""
    cases: Callable[[Floats], tuple[float | None, float | None]] | None = None
    """(K) -> the value if all failed rows had had the smallest, or the largest, possible value. None: not known."""
    lacking: Callable[[Floats], str | None] | None = None
    """(K) -> why the value is not given although it is defined; None: it is given."""
    whole: Callable[[Floats, Floats, float], Smooth] | None = None
    """(V, K), (V), one-sided level -> the value and its interval, in place of what ``stats/smooth.py`` makes."""


def at(sums: Floats, names: Sequence[str]) -> Mapping[str, Floats]:
    """Return the sums (..., K) by name."""
    return {name: sums[..., k] for k, name in enumerate(names)}


def ratio(a: Floats, b: Floats) -> Floats:
    """Return a / b; nan where b is not above 0."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    found: Floats = np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0)
    return found


def typical_size(sizes_V: Floats, counts_V: Floats) -> float:
    """Return the size-weighted mean of the items' sizes: what a pseudo-item weighs. 1 if all are 0."""
    total = float(counts_V @ sizes_V)
    return float(counts_V @ sizes_V**2) / total if total > 0 else 1.0
