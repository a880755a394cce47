"""A run's rows, some items at a time: what a whole run's tables hold, in a memory that does not grow with the run.

In: a store and its run.json. Out: tables as ``read.read_tables`` returns them, each with all rows of some items, of all
models; no item is in two. Also what occurs in the whole run, which commits state without a row being read.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import polars as pl

from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog
from cotfaith.cluster.storage.parts import Columns
from cotfaith.cluster.storage.read import live_items, tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import Commit, RunRecord

AT_ONCE = 2
"""Batches in memory at a time."""
BATCH_ROWS = 500_000
"""Observations that are read together; more if a shard of all models has more."""
Tables = dict[str, pl.DataFrame]
Logs = list[ShardLog]


class Range(NamedTuple):
    """Some items of a task: what the shards of all models have in common."""

    task: str
    start: int
    stop: int


Items = set[tuple[str, str]]
"""Task and item."""
T = TypeVar("T")
_OCCURS = ("model", "task", "strategy", "variant", "probe", "reader", "status")


def batches(ledger: Ledger, run: RunRecord, most_rows: int = BATCH_ROWS) -> list[Logs]:
    """Return the shards to read together, in the order of tasks and items; one empty batch if there are none.

    Models share their shards' bounds, and a reader's rows are read with those of the subjects. Commits of old runs do
    not name their items, so their shards are all read together.
    """
    found: list[Logs] = []
    size = most_rows
    for logs in ranges(ledger).values():
        rows = n_observations(logs)
        if (size + rows > most_rows and run.schema_version >= FIRST_PRESENT) or not found:
            found, size = [*found, []], 0
        found[-1].extend(logs)
        size += rows
    return found or [[]]


def ranges(ledger: Ledger) -> dict[Range, Logs]:
    """Return the shards of each range of items, those of all models, in the order of tasks and items."""
    together: defaultdict[Range, Logs] = defaultdict(list)
    for shard, log in ledger.logs.items():
        together[Range(shard.task, shard.start, shard.stop)].append(log)
    return dict(sorted(together.items()))


def check_ranges(found: Mapping[Range, Logs]) -> None:
    """Raise ``RunFolderError`` if an item is committed in two ranges; commits of old runs do not name their items."""
    seen: Items = set()
    for place, logs in found.items():
        items = {(place.task, item) for log in logs for commit in log.commits for item in commit.items}
        _check_apart(seen & items)
        seen |= items


def n_observations(logs: Iterable[ShardLog]) -> int:
    """Return the committed observations of some shards, those that were replaced included."""
    return sum(map(_n_observations, logs))


def _n_observations(log: ShardLog) -> int:
    return sum(part.rows for commit in log.commits for part in commit.parts if part.table == "observations")


class Each(Protocol):
    """A way to work on all batches: in this process (``each_batch``), or elsewhere."""

    def __call__(
        self,
        store: Store,
        run: RunRecord,
        found: Sequence[Logs],
        work: Callable[[Tables], T],
        columns: Columns | None = None,
    ) -> Iterator[T]:
        """Yield what ``work`` makes of the tables of each batch, in the order of ``found``."""
        ...


def each_batch(
    store: Store, run: RunRecord, found: Sequence[Logs], work: Callable[[Tables], T], columns: Columns | None = None
) -> Iterator[T]:
    """Yield what ``work`` makes of the tables of each batch, in their order; the next one is read meanwhile.

    ``columns``: as for ``checked_part``.

    Raises:
        RunFolderError: as for ``read_tables``.

    """
    return apart(_in_threads(partial(worked, store, run.run_id, work, columns), found))


def worked(
    store: Store, run_id: str, work: Callable[[Tables], T], columns: Columns | None, logs: Logs
) -> tuple[T, Items]:
    """Return what ``work`` makes of one batch, and the items in it."""
    tables = tables_of(store, logs, run_id, columns)
    return work(tables), _items(tables)


def _in_threads(done: Callable[[Logs], T], found: Sequence[Logs]) -> Iterator[T]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        waiting = deque(threads.submit(done, logs) for logs in found[:AT_ONCE])
        for logs in [*found[AT_ONCE:], *[None] * AT_ONCE]:
            if not waiting:
                return
            made = waiting.popleft().result()
            if logs is not None:
                waiting.append(threads.submit(done, logs))
            yield made


def apart(found: Iterable[tuple[T, Items]]) -> Iterator[T]:
    """Yield what was made of each batch; ``RunFolderError`` if an item is in two."""
    seen: Items = set()
    for made, items in found:
        _check_apart(seen & items)
        seen |= items
        yield made


def _items(tables: Tables) -> Items:
    parts = [table.select("task", "item_id").unique().cast(pl.String) for table in tables.values()]
    return set(pl.concat(parts).iter_rows())


def _check_apart(twice: Items) -> None:
    if twice:
        task, item = min(twice)
        raise RunFolderError(
            f"The item {item!r} of {task} occurs in more than one shard; {len(twice)} items do. Was the folder "
            "changed by hand? Move the commit that does not belong to this run out of it."
        )


def occurring(ledger: Ledger) -> pl.DataFrame:
    """Return each model, task, strategy, variant, probe (null: chains), reader and status that rows have together."""
    found = {line for shard, log in ledger.logs.items() for commit in log.commits for line in _of(shard, commit, log)}
    rows = sorted(found, key=lambda line: tuple(name or "" for name in line))
    return pl.DataFrame(rows, schema=dict.fromkeys(_OCCURS, pl.String), orient="row")


def _of(shard: Shard, commit: Commit, log: ShardLog) -> Iterator[tuple[str | None, ...]]:
    """Yield what occurs among the commit's rows that count."""
    place = {item: at for at, item in enumerate(commit.items)}
    live = live_items(commit, log)
    for piece in commit.pieces:
        items = live[piece.name]
        for status, counts in piece.statuses.items():
            if any(counts) if len(items) == len(place) else any(counts[place[item]] for item in items):
                yield shard.model, shard.task, piece.strategy, piece.variant, piece.probe, piece.reader, status
