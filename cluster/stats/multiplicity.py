"""P-values of several tests that are read together: Holm (1979), which needs no independence. Knows nothing else."""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None], m: int | None = None) -> list[float | None]:
    """Return the corrected p-values, in the order given.

    If those at or below a level are taken as found, the chance of any wrong one among them is at most that level.

    Args:
        p_values: one for each test; None: there is no test, and it does not count.
        m: the number of tests, if there are more than those that are given; the others count as larger.

    """
    known = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    n, highest = len(known) if m is None else m, 0.0
    found: list[float | None] = [None] * len(p_values)
    for rank, (p, at) in enumerate(known):
        highest = max(highest, min(1.0, (n - rank) * p))
        found[at] = highest
    return found
