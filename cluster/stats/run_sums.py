"""The sums of a run, range by range of its items: those that are kept are read, the others are made of rows and kept.

In: commits, and rows some items at a time. Out: the ``Tallies`` of each range, in the order of tasks and items, so that
estimates do not depend on which of them were kept, nor on what was read together. The sums of a range depend on its
commits, on what occurs in its task (``Rows.whole``), on people's labels of the run and on the code.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from cotfaith.cluster.stats.code import code_of
from cotfaith.cluster.stats.metrics import Declared, check_declared, declared
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import Tallies, tallies_by_range
from cotfaith.cluster.stats.tally import Tally
from cotfaith.cluster.stats.tally_tables import from_tables, to_tables
from cotfaith.cluster.storage.batches import Logs, Range, Tables, ranges
from cotfaith.cluster.storage.kept import Kept, keep, made_of, packed, unpacked
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import item_ids
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import RunRecord

Made = dict[int, bytes]
"""The number of a range -> its sums, packed."""
_ITEM = ["task", "item_id"]
_ITEMS = pl.Schema({"task": pl.String(), "item_id": pl.String(), "range": pl.Int32()})


@dataclass(frozen=True)
class Making:
    """Makes sums of rows, in any process; that process must know the metrics that the driver knows."""

    metrics: Declared
    whole: pl.DataFrame
    """What occurs in the run, as ``Rows.whole``."""
    items: pl.DataFrame
    """Task, item_id and ``range`` of the items whose sums are made."""
    labels: pl.DataFrame | None
    """As ``Rows.labels``."""

    def __call__(self, tables: Tables) -> Made:
        """Return the sums of each range with rows in the tables, which hold all rows of their items."""
        check_declared(self.metrics)
        there = pl.concat([table.select(_ITEM).unique().cast(pl.String) for table in tables.values()]).unique()
        items, n = self.items.join(there, on=_ITEM, how="semi", maintain_order="left"), len(there)
        if items.is_empty():
            return {}
        own = tables if len(items) == n else {name: _of_items(table, items) for name, table in tables.items()}
        return {at: packed(to_tables(one)) for at, one in tallies_by_range(self._rows(own), items).items()}

    def _rows(self, tables: Tables) -> Rows:
        """Return the rows; what occurs in other tasks is left out, and the columns of ``whole`` get their types."""
        types, tasks = tables["observations"].schema, tables["items"]["task"].unique().cast(pl.String)
        whole = self.whole.filter(pl.col("task").is_in(tasks.to_list()))
        typed = whole.select(pl.col(name).cast(types[name]) for name in whole.columns)
        return Rows(**tables, whole=typed, labels=self.labels)


def _of_items(table: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    ids = items.select(pl.col(name).cast(table.schema[name]) for name in _ITEM)
    return table.join(ids, on=_ITEM, how="semi", maintain_order="left")


@dataclass(frozen=True)
class RunSums:
    """The ranges of a run, or of a part of it, and where their sums are."""

    store: Store
    run_id: str
    is_old: bool
    """Whether its commits do not name their items: all its rows are read together."""
    ledger: Ledger
    whole: pl.DataFrame
    """What occurs in the run, as ``Rows.whole``."""
    labels: pl.DataFrame | None = None
    """People's labels, as ``Rows.labels``."""

    @classmethod
    def of(
        cls, store: Store, run: RunRecord, ledger: Ledger, occurring: pl.DataFrame, labels: pl.DataFrame | None
    ) -> "RunSums":
        """Return the sums of a run; ``occurring``: as ``storage.batches.occurring`` returns it."""
        whole, is_old = without_statuses(occurring), run.schema_version < FIRST_PRESENT
        return cls(store, run.run_id, is_old, ledger, whole, labels)

    @cached_property
    def logs(self) -> dict[Range, Logs]:
        """The shards of each range."""
        return ranges(self.ledger)

    @property
    def probes(self) -> list[str]:
        """The probes that have rows."""
        return self.whole["probe"].drop_nulls().unique().sort().to_list()

    @cached_property
    def names(self) -> list[str]:
        """What the sums of each range are made of; empty if they are not kept."""
        if (code := code_of(self.probes)) is None:
            return []
        scopes = {task: _text(self.whole.filter(pl.col("task") == task)) for task in {one.task for one in self.logs}}
        labels = "" if self.labels is None else _text(self.labels)
        return [made_of(self.run_id, logs, code, labels, scopes[one.task]) for one, logs in self.logs.items()]

    @cached_property
    def kept(self) -> Kept:
        """The sums that are there."""
        return Kept.of(self.store) if self.names else Kept(self.store, {})

    def missing(self) -> list[int]:
        """Return the numbers of the ranges whose sums are not there."""
        return [at for at in range(len(self.logs)) if not self.names or self.names[at] not in self.kept.known]

    def ledger_of(self, numbers: Sequence[int]) -> Ledger:
        """Return the shards of some ranges, or of all of them if they are read together."""
        places = list(self.logs)
        chosen = set(places if self.is_old else (places[at] for at in numbers))
        return Ledger({shard: log for shard, log in self.ledger.logs.items() if Range(*shard[1:]) in chosen})

    def making(self, numbers: Sequence[int]) -> Making:
        """Return how the sums of some ranges are made of their rows."""
        found, items = list(self.logs.items()), list[pl.DataFrame]()
        for at in numbers:
            place, logs = found[at]
            ids = pl.Series("item_id", self._items(logs), pl.String)
            items.append(pl.DataFrame(ids).select(pl.lit(place.task).alias("task"), ids, pl.lit(at).alias("range")))
        return Making(declared(self.probes), self.whole, pl.concat([_ITEMS.to_frame(), *items]), self.labels)

    def _items(self, logs: Logs) -> list[str]:
        if self.is_old:
            return sorted({item for log in logs for item in item_ids(self.store, log)})
        return list(dict.fromkeys(item for log in logs for commit in log.commits for item in commit.items))

    def keep(self, made: Made) -> None:
        """Write the sums of some ranges."""
        places = list(self.logs)
        for at, data in made.items() if self.names else ():
            keep(self.store, places[at], self.names[at], data)

    def tallies(self, made: Made, again: Callable[[Sequence[int]], Made]) -> Iterator[Tallies]:
        """Yield the sums of all ranges, in their order.

        Args:
            made: those that were made of rows.
            again: makes others of rows: those that are there but cannot be read.

        """
        for at in range(len(self.logs)):
            yield self._made(at, made) or self._read(at) or self._made(at, again([at])) or (Tally(), None)

    def _made(self, at: int, made: Made) -> Tallies | None:
        return from_tables(unpacked(made[at])) if at in made else None

    def _read(self, at: int) -> Tallies | None:
        for data in self.kept.get(self.names[at]) if self.names else ():
            with suppress(ValueError):
                return from_tables(unpacked(data))
        return None


def without_statuses(occurring: pl.DataFrame) -> pl.DataFrame:
    """Return what occurs, as ``Rows.whole``."""
    return occurring.drop("status").unique(maintain_order=True)


def _text(table: pl.DataFrame) -> str:
    return repr((table.columns, sorted(table.rows(), key=repr)))
