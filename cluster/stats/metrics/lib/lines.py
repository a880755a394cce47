"""Straight lines through points, level before the first point and after the last: many lines at once.

In: the points of all lines, flat. Out: areas, and values at other places. Knows nothing about chains.

Shapes: N = points, L = lines, G = places that are the same for all lines, M = places on lines of their own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """The points, line by line, each in the order of x; every line has a point."""

    line: Ints
    """The number of each point's line; numbers may be left out. All three have shape N."""
    x: Floats
    s: Floats

    @classmethod
    def of(cls, line_N: Ints, x_N: Floats, s_N: Floats) -> "Lines":
        """Return the lines through points in any order; points of a line at the same x keep theirs."""
        order = np.lexsort((x_N, line_N))
        return cls(line_N[order], x_N[order], s_N[order])

    @property
    def starts(self) -> Ints:
        """The place of each line's first point (L)."""
        found: Ints = np.flatnonzero(np.diff(self.line, prepend=-1))
        return found

    @property
    def numbers(self) -> Ints:
        """The number of each line (L)."""
        return self.line[self.starts]

    def area(self) -> Floats:
        """Return each line's area from 0 to 1 (L)."""
        starts = self.starts
        if not len(starts):
            return np.zeros(0)
        ends = np.append(starts[1:], len(self.x)) - 1
        pieces_N = np.zeros(len(self.x))
        pieces_N[:-1] = np.diff(self.x) * (self.s[:-1] + self.s[1:]) / 2
        pieces_N[ends] = 0.0  # between the last point of a line and the first of the next
        between = np.add.reduceat(pieces_N, starts)
        found: Floats = self.x[starts] * self.s[starts] + between + (1 - self.x[ends]) * self.s[ends]
        return found

    def at(self, x_G: Floats) -> Floats:
        """Return each line's values at the same places (L, G)."""
        starts = self.starts
        if not len(starts):
            return np.zeros((0, len(x_G)))
        sizes = np.diff(starts, append=len(self.x))
        passed = [np.add.reduceat((self.x <= x).astype(np.int64), starts) for x in x_G]
        return np.stack([self._value(starts, sizes, n_L, x) for n_L, x in zip(passed, x_G, strict=True)], axis=1)

    def read(self, line_M: Ints, x_M: Floats) -> Floats:
        """Return the values at places of single lines (M); nan if there is no such line."""
        order = np.lexsort((np.repeat([0, 1], [len(self.x), len(x_M)]), *self._with(line_M, x_M)))
        asked = order >= len(self.x)
        passed_M = np.empty(len(x_M), dtype=np.int64)
        passed_M[order[asked] - len(self.x)] = np.cumsum(~asked)[asked]  # of all points, those before the place
        start_M, end_M = (np.searchsorted(self.line, line_M, side=side) for side in ("left", "right"))
        found, known = np.full(len(x_M), np.nan), end_M > start_M
        start, size = start_M[known], (end_M - start_M)[known]
        found[known] = self._value(start, size, passed_M[known] - start, x_M[known])
        return found

    def _with(self, line_M: Ints, x_M: Floats) -> tuple[Floats, Ints]:
        return np.concatenate([self.x, x_M]), np.concatenate([self.line, line_M])

    def _value(self, start: Ints, size: Ints, passed: Ints, x: Floats | float) -> Floats:
        """Return the values at ``x``, which ``passed`` of the line's points are not beyond."""
        left, right = start + np.clip(passed - 1, 0, None), start + np.minimum(passed, size - 1)
        wide = self.x[right] - self.x[left]
        slope = np.divide(self.s[right] - self.s[left], wide, out=np.zeros(len(left)), where=wide > 0)
        found: Floats = np.where(passed > 0, slope * (x - self.x[left]), 0.0) + self.s[left]
        return found
