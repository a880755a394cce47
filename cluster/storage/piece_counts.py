"""Rows of each piece and item, by status: whether a Parquet file has as many as its commit says.

``status`` and ``plan`` show the commit's numbers, so they must be those of the rows. In: a table and its commit. Out:
the first number that differs, in words; None if none does. Numbers are compared as one array; names are only looked at
if it differs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cotfaith.schemas.run_objects import Commit

_ABOUT = ("strategy", "variant", "probe", "item_id", "status")
_PIECE = 3
"""How many of them name the piece."""
Ints = npt.NDArray[np.int64]
Counts = Counter[tuple[str | None, ...]]


def difference(table: pa.Table, commit: Commit, stand_in: str | None = None) -> str | None:
    """Return how the table differs from its commit; ``stand_in``: the item that stands for all, in an old run."""
    if stand_in is None and _agree(table, commit):
        return None
    found, said = _found(table, stand_in), Counter[tuple[str | None, ...]]()
    for names, n in _said(commit):
        said[names] += n
    if found == said:
        return None
    one = min((found - said) or (said - found), key=lambda names: [name or "" for name in names])
    words = " ".join(name for name in one if name is not None)
    return (
        f"has {found[one]} rows of {words}, its commit says {said[one]}; by status it has {_by_status(found)}, its "
        f"commit {_by_status(said)}"
    )


def _agree(table: pa.Table, commit: Commit) -> bool:
    """Return whether all numbers are the commit's; false also if this way of counting cannot tell."""
    axes = [list(dict.fromkeys(names)) for names in zip(*(piece.name[:_PIECE] for piece in commit.pieces), strict=True)]
    axes += [commit.items, list(dict.fromkeys(status for piece in commit.pieces for status in piece.statuses))]
    if len(axes) < len(_ABOUT):
        return bool(table.num_rows == 0)
    shape = tuple(len(axis) for axis in axes)
    said = np.zeros(shape, np.int64)
    for piece in commit.pieces:
        place = tuple(axis.index(name) for axis, name in zip(axes, piece.name[:_PIECE], strict=False))
        for status, counts in piece.statuses.items():
            said[place][:, axes[-1].index(status)] += counts
    places = [_places(table, name, axis) for name, axis in zip(_ABOUT, axes, strict=True)]
    if any((place < 0).any() for place in places):
        return False
    rows = np.ravel_multi_index(places, shape) if table.num_rows else np.zeros(0, np.int64)
    return bool(np.array_equal(np.bincount(rows, minlength=said.size), said.ravel()))


def _places(table: pa.Table, name: str, axis: Sequence[str | None]) -> Ints:
    """Return the place of each row's value among ``axis``, -1 if it is not there; rows without the column have null."""
    place = {value: n for n, value in enumerate(axis)}
    if name not in table.column_names:
        return np.full(table.num_rows, place.get(None, -1), np.int64)
    coded = table.column(name).dictionary_encode().unify_dictionaries()
    values = coded.chunk(0).dictionary.to_pylist() if coded.num_chunks else []
    known = np.array([place.get(value, -1) for value in (*values, None)], np.int64)
    indices = [chunk.indices.fill_null(len(values)).to_numpy(zero_copy_only=False) for chunk in coded.chunks]
    return known[np.concatenate(indices)] if indices else np.zeros(0, np.int64)


def _found(table: pa.Table, stand_in: str | None) -> Counts:
    frame = pl.from_arrow(table.select([name for name in _ABOUT if name in table.column_names]))
    assert isinstance(frame, pl.DataFrame), "it has several columns"
    lacking = [pl.lit(None, pl.String).alias(name) for name in _ABOUT if name not in frame.columns]
    counted = frame.with_columns(lacking).group_by(_ABOUT).len()
    found = Counter[tuple[str | None, ...]]()
    for *names, item, status, n in counted.select(*_ABOUT, "len").iter_rows():
        found[(*names, stand_in or item, status)] += n
    return found


def _said(commit: Commit) -> Iterator[tuple[tuple[str | None, ...], int]]:
    for piece in commit.pieces:
        for status, counts in piece.statuses.items():
            for item, n in zip(commit.items, counts, strict=True):
                if n:
                    yield (*piece.name[:_PIECE], item, status), n


def _by_status(counts: Mapping[tuple[str | None, ...], int]) -> dict[str, int]:
    found = Counter[str]()
    for names, n in counts.items():
        found[str(names[-1])] += n
    return dict(sorted(found.items()))
