"""A run's committed rows as lazy polars frames: only the parts, columns and rows that a query asks for are read.

In: a store, run.json and the commits. Out: a ``LazyFrame`` of a table, whose columns are those of ``schemas.tables``.
Rows that were replaced later, and orphans, stay unseen, as in ``read.py``. Commits say which model, task, strategy,
variant, probe and items a part has rows of: conditions on these choose parts before any is read. Each part is checked
against its commit. Rows come shard by shard, in no order that means anything.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import polars as pl
from polars.io.plugins import register_io_source

from cotfaith.cluster.storage.batches import check_ranges, ranges
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import LivePart, live_parts, read_live, read_tables
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.tables import TABLES

_CHECKED = ("run_id", "model", "task", "item_id", "strategy", "variant", "probe", "reader", "status")
"""Columns by which a part is checked, and its rows that count are found."""
_PIECE = ("run_id", "model", "task", "strategy", "variant", "probe")
_ITEM = ("run_id", "model", "task", "item_id")
_PART = "_part"


def rows_frame(store: Store, run: RunRecord, ledger: Ledger, name: str) -> pl.LazyFrame:
    """Return the table ``name``: items, chains or observations.

    Raises:
        RunFolderError: an item is committed in two ranges. Collecting raises it if a part is damaged or missing.

    """
    if run.schema_version < FIRST_PRESENT:  # commits of old runs do not name their items
        return register_io_source(partial(_old_rows, store, name), schema=_schema(name), is_pure=True)
    check_ranges(ranges(ledger))
    found = (one for log in ledger.logs.values() for one in live_parts(log) if one.part.table == name)
    live = list(_once(found) if name == "items" else found)
    return register_io_source(partial(_rows, store, run.run_id, name, live), schema=_schema(name), is_pure=True)


def _schema(name: str) -> pl.Schema:
    frame = pl.from_arrow(TABLES[name].empty_table())
    assert isinstance(frame, pl.DataFrame), f"{name} has several columns"
    return frame.schema


def _once(found: Iterator[LivePart]) -> Iterator[LivePart]:
    """Yield parts of items, each item of a model in one of them: it is written with each generation of its chains."""
    seen = set[tuple[str, str, str]]()
    for part, commit, items in found:
        own = {item for live in items.values() for item in live}
        new = {item for item in own if (commit.model, commit.task, item) not in seen}
        seen |= {(commit.model, commit.task, item) for item in new}
        if new:
            yield LivePart(part, commit, {piece: live & new for piece, live in items.items()})


def _rows(
    store: Store,
    run_id: str,
    name: str,
    live: Sequence[LivePart],
    columns: list[str] | None,
    predicate: pl.Expr | None,
    n_rows: int | None,
    _: int | None,
) -> Iterator[pl.DataFrame]:
    """Yield the rows of each part that a query asks for."""
    schema = _schema(name)
    wanted = columns or schema.names()
    used = {*wanted, *_CHECKED, *(predicate.meta.root_names() if predicate is not None else ())}
    chosen = live if predicate is None else _chosen(live, run_id, predicate)
    parts = read_live(store, chosen, run_id, {name: used})
    frames = (pl.DataFrame(table).cast({own: schema[own] for own in table.column_names}) for table in parts)
    yield from _asked(frames, wanted, predicate, n_rows)


def _old_rows(
    store: Store,
    name: str,
    columns: list[str] | None,
    predicate: pl.Expr | None,
    n_rows: int | None,
    _: int | None,
) -> Iterator[pl.DataFrame]:
    frame = read_tables(store)[name]
    yield from _asked(iter([frame]), columns or frame.columns, predicate, n_rows)


def _asked(
    frames: Iterator[pl.DataFrame], columns: list[str], predicate: pl.Expr | None, n_rows: int | None
) -> Iterator[pl.DataFrame]:
    left = n_rows
    for frame in frames:
        rows = frame if predicate is None else frame.filter(predicate)
        rows = rows.select(columns).head(len(rows) if left is None else left)
        yield rows
        left = None if left is None else left - len(rows)
        if left == 0:
            return


def _chosen(live: Sequence[LivePart], run_id: str, predicate: pl.Expr) -> list[LivePart]:
    """Return the parts that can have rows for which the predicate holds."""
    found = list(live)
    for condition in _conditions(predicate):
        names = set(condition.meta.root_names())
        for known, lines_of in ((_PIECE, _pieces), (_ITEM, _items)):
            if names and names <= set(known):
                lines = [(at, run_id, *line) for at, one in enumerate(found) for line in lines_of(one)]
                frame = pl.DataFrame(lines, {_PART: pl.Int64} | dict.fromkeys(known, pl.String), orient="row")
                found = [found[at] for at in frame.filter(condition)[_PART].unique().sort()]
    return found


def _pieces(one: LivePart) -> Iterator[tuple[str | None, ...]]:
    return ((one.commit.model, one.commit.task, *piece[:3]) for piece in one.items)


def _items(one: LivePart) -> Iterator[tuple[str | None, ...]]:
    return ((one.commit.model, one.commit.task, item) for item in one.commit.items)


def _conditions(predicate: pl.Expr) -> Iterator[pl.Expr]:
    """Yield the conditions that must all hold for the predicate to hold."""
    parts = predicate.meta.pop()
    if len(parts) == 2 and (parts[1] & parts[0]).meta.eq(predicate):
        yield from _conditions(parts[1])
        yield from _conditions(parts[0])
    else:
        yield predicate
