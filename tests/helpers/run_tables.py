"""The rows of two runs, compared cell by cell, by code that shares nothing with cotfaith's own reader.

In: rows of a run, as cotfaith's reader returns them (``as_read``) or as its commits name them (``as_committed``). Out:
``Comparison``: how many rows were expected, and how many are lost, doubled or differ. Two numbers are equal only if all
their bits are.
"""

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import Store

MAY_DIFFER = frozenset({"run_id"})
"""Columns that differ between two runs of one spec: nothing else may."""
NAMES = ("model", "task", "strategy", "variant", "item_id", "chain_index", "probe", "arm", "reader")
"""The columns that name a row, as far as its table has them."""

Row = Mapping[str, Any]
Key = tuple[Any, ...]
Rows = dict[Key, list[Row]]
"""Table and row's name -> every row of that name."""


@dataclass(frozen=True)
class Comparison:
    """One run's rows against those that were expected."""

    expected: int
    """Rows that an undisturbed run has."""
    lost: int = 0
    """Rows of it that the other run does not have."""
    doubled: int = 0
    """Rows that are there once more than they should be."""
    differing: int = 0
    """Rows with a cell of another value, and rows that an undisturbed run does not have."""

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(
            self.expected + other.expected,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.differing + other.differing,
        )

    @property
    def equal(self) -> bool:
        """Return whether the two are the same."""
        return self.expected > 0 and not (self.lost or self.doubled or self.differing)


def compare(expected: Rows, found: Rows) -> Comparison:
    """Compare every row and cell."""
    lost = sum(max(0, len(rows) - len(found.get(key, ()))) for key, rows in expected.items())
    doubled = sum(max(0, len(rows) - len(expected.get(key, ()))) for key, rows in found.items() if key in expected)
    differing = sum(len(rows) for key, rows in found.items() if key not in expected)
    differing += sum(_differing(rows, found[key]) for key, rows in expected.items() if key in found)
    return Comparison(sum(map(len, expected.values())), lost, doubled, differing)


def _differing(expected: list[Row], found: list[Row]) -> int:
    return sum(_cells(one) != _cells(expected[0]) for one in found)


def _cells(row: Row) -> dict[str, str]:
    """Return the row's cells as text: ``repr`` of a float has all its bits, and NaN is equal to itself."""
    return {name: repr(value) for name, value in row.items() if name not in MAY_DIFFER}


def as_read(store: Store) -> Rows:
    """Return the rows that cotfaith's own reader returns, which are what reports are made of."""
    return _named((name, row) for name, frame in read_tables(store).items() for row in frame.iter_rows(named=True))


def as_committed(store: Store) -> Rows:
    """Return the rows of every object that a commit names, read with nothing of cotfaith but the store's ``get``.

    Of an item's piece (its chains of a strategy, or what a probe found on them), a shard's last commit counts.
    """
    found: dict[Key, list[tuple[str, Row]]] = {}
    for key in store.list("_commits/"):
        data = store.get(key)
        if key.endswith(".json") and data is not None:
            found |= _written(store, json.loads(data), shard=_shard(key))
    return _named(row for rows in found.values() for row in rows)


def _shard(key: str) -> str:
    """Return the shard whose log the commit at ``key`` belongs to."""
    folder, _, name = key.rpartition("/")
    return folder if name.removesuffix(".json").isdigit() else key


def _written(store: Store, commit: Mapping[str, Any], shard: str) -> dict[Key, list[tuple[str, Row]]]:
    """Return a commit's rows by table, piece and item, with an entry for each that it says it has."""
    found: dict[Key, list[tuple[str, Row]]] = defaultdict(list)
    for piece in commit.get("pieces", []):
        table = "chains" if piece.get("probe") is None else "observations"
        found |= {_piece(shard, table, {**piece, "item_id": item}): [] for item in commit["items"]}
    for part in commit["parts"]:
        content = store.get(part["key"])
        assert content is not None, f"{part['key']} is committed but missing"
        for row in pq.read_table(io.BytesIO(content)).to_pylist():
            whole = {"strategy": commit.get("strategy"), **row}
            found[_piece(shard, part["table"], whole)].append((part["table"], whole))
    return found


def _piece(shard: str, table: str, row: Row) -> Key:
    variant = row.get("variant") or "plain"
    return shard, table, row.get("strategy"), variant, row.get("probe"), row.get("reader"), row["item_id"]


def _named(rows: Iterable[tuple[str, Row]]) -> Rows:
    found: Rows = defaultdict(list)
    for table, row in rows:
        found[(table, *(row.get(name) for name in NAMES))].append(row)
    return found
