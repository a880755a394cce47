"""Rows -> one integer a row for its values in some columns: rows are compared, counted and joined by it.

In: columns of names (strings, categories) or integers. Out: int64 codes, equal for rows with equal values and only for
those; null is a value of its own. Codes of two calls have nothing to do with each other. Knows nothing about tables.

Shapes: N = rows.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]
_LARGEST = 2**62


def row_codes(columns: Sequence[Integers]) -> tuple[Ints, int]:
    """Return a code (N) for each row of ``numbers``, and a number that is larger than all of them."""
    found_N, size = np.zeros(len(columns[0]), np.int64), 1
    for numbers_N in columns:
        own_N, n = without_gaps(numbers_N)
        if n > 1:
            if size > _LARGEST // n:
                found_N, size = without_gaps(found_N)
            found_N = found_N * n + own_N if size > 1 else own_N
            size *= n
    return found_N, size


def dense_codes(columns: Sequence[Integers]) -> tuple[Ints, int]:
    """Return codes (N) without gaps, numbered in the order in which rows appear, and how many there are."""
    several = [numbers_N for numbers_N in columns if not _is_constant(numbers_N)] or columns[:1]
    return without_gaps(several[0] if len(several) == 1 else row_codes(several)[0])


def numbers(frame: pl.DataFrame, columns: Sequence[str]) -> list[Integers]:
    """Return each column's values as integers (N), without a copy if they are categories or integers and not null."""
    kinds = frame.schema
    texts = [pl.col(name).cast(pl.Categorical) if kinds[name] == pl.String else pl.col(name) for name in columns]
    return [_whole(values) for values in frame.select(text.to_physical() for text in texts).get_columns()]


def _whole(values: pl.Series) -> Integers:
    if values.null_count() == len(values):
        return np.zeros(len(values), np.int64)
    found = values.to_numpy()
    if values.null_count():
        found = np.where(np.isnan(found), np.nanmin(found) - 1, found).astype(np.int64)
    return found


def without_gaps(numbers_N: Integers) -> tuple[Ints, int]:
    """Return codes (N) of numbers, numbered in the order in which they appear, and how many there are."""
    if _is_constant(numbers_N):
        return np.zeros(len(numbers_N), np.int64), min(1, len(numbers_N))
    low = numbers_N.min()
    span = int(numbers_N.max()) - int(low) + 1
    if span > 4 * len(numbers_N) + 1024:
        values, numbers_N = np.unique(numbers_N, return_inverse=True)
        low, span = numbers_N.dtype.type(0), len(values)
    place_N = numbers_N - low
    first = np.full(span, -1, np.int64)
    first[place_N[::-1]] = np.arange(len(numbers_N) - 1, -1, -1)
    there = np.flatnonzero(first >= 0)
    code = np.empty(span, np.int64)
    code[there[np.argsort(first[there])]] = np.arange(len(there))
    return code[place_N], len(there)


def first_rows(codes_N: Ints, n: int) -> Ints:
    """Return the first row of each of ``n`` codes without gaps."""
    found = np.zeros(n, np.int64)
    found[codes_N[::-1]] = np.arange(len(codes_N) - 1, -1, -1)
    return found


def _is_constant(numbers_N: Integers) -> bool:
    return not len(numbers_N) or bool(numbers_N.min() == numbers_N.max())
