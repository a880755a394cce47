"""The shards of one task of a run, by number: without an object for each.

In: the task's ranges of items. Out: a shard's number from its bounds, and its bounds from its number.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cotfaith.schemas.run_objects import ItemRange

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ShardIndex:
    """Numbers the shards from 0, in the order of their items."""

    ranges: Sequence[ItemRange]

    def __len__(self) -> int:
        return sum(one.n_shards for one in self.ranges)

    @property
    def items(self) -> int:
        """The items of all shards."""
        return self.ranges[-1].stop if self.ranges else 0

    @cached_property
    def _firsts(self) -> list[int]:
        """The number of each range's first shard."""
        return [sum(one.n_shards for one in self.ranges[:at]) for at in range(len(self.ranges))]

    def bounds(self, number: int) -> tuple[int, int]:
        """Return the shard's first item, and the one after its last."""
        at = bisect_right(self._firsts, number) - 1
        first, one = self._firsts[at], self.ranges[at]
        start = one.start + (number - first) * one.shard_size
        return start, min(start + one.shard_size, one.stop)

    def number(self, start: int, stop: int) -> int | None:
        """Return the number of a shard with these bounds; None: there is none."""
        for first, one in zip(self._firsts, self.ranges, strict=True):
            if one.has_shard(start, stop):
                return first + (start - one.start) // one.shard_size
        return None

    def numbers(self, start_N: Ints, stop_N: Ints) -> Ints:
        """Return the same for many; -1: there is none."""
        found_N = np.full(len(start_N), -1, np.int64)
        for first, one in zip(self._firsts, self.ranges, strict=True):
            place_N, odd_N = np.divmod(start_N - one.start, one.shard_size)
            ends_N = np.minimum(start_N + one.shard_size, one.stop)
            there_N = (start_N >= one.start) & (start_N < one.stop) & (odd_N == 0) & (stop_N == ends_N)
            found_N[there_N] = first + place_N[there_N]
        return found_N

    def sizes(self) -> Ints:
        """Return the items of each shard."""
        return np.concatenate([np.zeros(0, np.int64), *map(_sizes, self.ranges)])


def _sizes(one: ItemRange) -> Ints:
    found = np.full(one.n_shards, one.shard_size, np.int64)
    if len(found):
        found[-1] = one.stop - one.start - one.shard_size * (len(found) - 1)
    return found
