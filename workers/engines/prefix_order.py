"""The order in which a backend with a prefix cache gets the prompts of one call.

In lexicographic order of token ids a prompt directly follows the prompts that it extends, so what they share is cached
when it comes, however small the cache. Results are in the order of the requests. Knows nothing about backends.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_prefix_order(
    ask: Callable[[list[T]], Sequence[R]], requests: Sequence[T], prompt: Callable[[T], tuple[int, ...]]
) -> list[R]:
    """Call ``ask`` with the requests ordered by ``prompt``; return its results in the order of ``requests``."""
    order = sorted(range(len(requests)), key=lambda index: prompt(requests[index]))
    found = dict(zip(order, ask([requests[index] for index in order]), strict=True))
    return [found[index] for index in range(len(requests))]
