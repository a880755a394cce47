"""The sums of some items as tables, to keep them.

In: ``Tallies``. Out: tables with a fixed schema each, and the same ``Tallies`` from them, to the last digit. Tables
under ``all`` are of all rows, those under ``clear`` without near ties.

Shapes: P = positions of a curve.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.vectors import SCHEMA as VECTORS
from cotfaith.cluster.stats.near_ties import Tallies
from cotfaith.cluster.stats.tally import CURVE, Crosses, Key, Tally

Frames = Mapping[str, pl.DataFrame]
_ALL, _CLEAR = "all", "clear"
_MATRICES = ("both", "num2", "cross", "den2")
_NUMBERS = pl.List(pl.Float64)
_CROSSES = pl.Schema(
    dict.fromkeys(CURVE, pl.String())
    | {"n_items": pl.Int64()}
    | dict.fromkeys(("positions", *_MATRICES), _NUMBERS)  # P numbers, then P * P of each matrix, row by row
)


def to_tables(found: Tallies) -> dict[str, pl.DataFrame]:
    """Return the tables."""
    whole, clear = found
    return dict(_named(_ALL, whole)) | ({} if clear is None else dict(_named(_CLEAR, clear)))


def from_tables(tables: Frames) -> Tallies:
    """Return the sums.

    Raises:
        ValueError: a table is missing, or has another schema.

    """
    has_clear = any(name.startswith(f"{_CLEAR}/") for name in tables)
    return _tally(_ALL, tables), _tally(_CLEAR, tables) if has_clear else None


def _named(head: str, found: Tally) -> Iterator[tuple[str, pl.DataFrame]]:
    lines = [
        (*key, one.n_items, list(one.positions), *(getattr(one, name).ravel().tolist() for name in _MATRICES))
        for key, one in found.crosses.items()
    ]
    yield f"{head}/sums", found.sums
    yield f"{head}/crosses", pl.DataFrame(lines, schema=_CROSSES, orient="row")
    yield f"{head}/vectors", found.vectors
    for name, kept in found.kept.items():
        yield f"{head}/kept/{name}", kept


def _tally(head: str, tables: Frames) -> Tally:
    sums, vectors = _table(tables, f"{head}/sums", Tally().sums.schema), _table(tables, f"{head}/vectors", VECTORS)
    crosses = dict(map(_cross, _table(tables, f"{head}/crosses", _CROSSES).iter_rows()))
    start = f"{head}/kept/"
    kept = {name.removeprefix(start): frame for name, frame in tables.items() if name.startswith(start)}
    return Tally(sums, crosses, vectors, kept)


def _table(tables: Frames, name: str, schema: pl.Schema) -> pl.DataFrame:
    if name not in tables or tables[name].schema != schema:
        raise ValueError(f"{name} is missing, or has other columns.")
    return tables[name]


def _cross(row: tuple[Any, ...]) -> tuple[Key, Crosses]:
    n = len(CURVE)
    n_items, positions, *matrices = row[n:]
    shape = (len(positions), len(positions))
    both, num2, cross, den2 = (np.array(one, dtype=np.float64).reshape(shape) for one in matrices)
    return row[:n], Crosses(tuple(positions), n_items, both, num2, cross, den2)
