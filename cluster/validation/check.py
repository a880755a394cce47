"""One check: what a model of known faithfulness should show, and what was measured. An interval decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cotfaith.cluster.stats.intervals import Sums, interval
from cotfaith.cluster.stats.metrics.lib.bounds import Bounds

Result = Literal["passed", "failed", "not measured"]


@dataclass(frozen=True)
class Check:
    """One expectation and its result."""

    name: str
    expected: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    """Chains, steps or items behind it."""
    result: Result
    note: str = ""


def checked_mean(
    name: str,
    expected: str,
    values: list[float],
    wanted: tuple[float | None, float | None],
    bounds: Bounds,
    note: str = "",
) -> Check:
    """Check the mean of per-item values: the interval must lie between the limits ``wanted``; None is no limit."""
    found = interval(Sums.of(values, np.ones(len(values))), bounds)
    value = sum(values) / len(values) if values else None
    low, high = found.low, found.high
    if low is None or high is None:
        return Check(name, expected, value, None, None, len(values), "not measured", "fewer than two items in common")
    passed = (wanted[0] is None or low > wanted[0]) and (wanted[1] is None or high < wanted[1])
    return Check(name, expected, value, low, high, len(values), "passed" if passed else "failed", note)


def lacking_models(name: str, expected: str, organisms: Sequence[str]) -> Check:
    """Return a check that is not measured because the run has no such organisms."""
    return Check(name, expected, None, None, None, 0, "not measured", f"the run has no {', '.join(organisms)}")
