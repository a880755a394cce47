"""One Iceberg table, and the rows of one run in it: what it holds, and commits that no other writer can spoil.

In: a catalog, and rows of shards with the digest of each shard's commits. Out: the table with these rows once. Each
commit rests on the snapshot in which the rows that are there were looked at: if anybody wrote since, nothing is
committed, and it is looked at again. So a shard that another export put meanwhile is not put a second time; one of
which another export put other commits ends this export. Knows nothing about where rows come from.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Self

import polars as pl
import pyarrow as pa

from cotfaith.cluster.export.table_files import PARTITION
from cotfaith.schemas.errors import RunConflictError, SpecError
from cotfaith.schemas.tables import TABLES

SHARD, COMMITS = "shard", "shard_commits"
"""The columns that say what a row is of."""
_TRIES = 20
_FIRST_WAIT_S, _MOST_WAIT_S = 0.05, 2.0
_RETRIES = "commit.retry.num-retries"

Held = dict[str, tuple[str, int]]
"""Shard -> the digest of its commits, and its rows."""


def table_schema(name: str) -> pa.Schema:
    """Return the table's columns, all of which can be null: tables gain columns later."""
    own = [pa.field(field.name, field.type) for field in TABLES[name]]
    return pa.schema([*own, pa.field(SHARD, pa.string()), pa.field(COMMITS, pa.string())])


class RunTable:
    """The rows of one run in the table ``name``."""

    def __init__(self, table: Any, name: str, run_id: str) -> None:
        self._table, self._name, self._run_id = table, name, run_id
        self.held: Held = self._looked_at()
        """What the table holds of the run, as last looked at."""
        self._known = dict(self.held)
        """What this export found at its start, or put since."""

    @classmethod
    def found(cls, catalog: Any, namespace: str, name: str, run_id: str) -> Self | None:
        """Return the table; None if there is none.

        Raises:
            SpecError: it is not a table of an export.

        """
        from pyiceberg.exceptions import (
            NoSuchIcebergTableError,
            NoSuchNamespaceError,
            NoSuchPropertyException,
            NoSuchTableError,
        )

        try:
            table = catalog.load_table((namespace, name))
        except (NoSuchIcebergTableError, NoSuchPropertyException):  # Glue has tables of other kinds
            raise SpecError(f"{namespace}.{name} is not an Iceberg table. Use another --namespace.") from None
        except (NoSuchTableError, NoSuchNamespaceError):
            return None
        if {SHARD, COMMITS, PARTITION} - {field.name for field in table.schema().fields}:
            raise SpecError(f"{namespace}.{name} is not a table of an export. Use another --namespace.")
        return cls(table, name, run_id)

    @classmethod
    def made(cls, catalog: Any, namespace: str, name: str, run_id: str) -> Self:
        """Make the table, partitioned by run, unless somebody else does meanwhile; return it."""
        from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError

        try:
            with catalog.create_table_transaction((namespace, name), schema=table_schema(name)) as change:
                if change.table_metadata.spec().is_unpartitioned():  # else it is another's, and the commit fails
                    with change.update_spec() as spec:
                        spec.add_identity(PARTITION)
        except (TableAlreadyExistsError, CommitFailedException):
            pass
        table = cls.found(catalog, namespace, name, run_id)
        if table is None:
            raise RunConflictError(f"{namespace}.{name} was made and deleted at the same time. Export again.")
        return table

    @property
    def rows(self) -> int:
        """The run's rows in it."""
        return sum(n for _, n in self.held.values())

    def add_columns(self) -> None:
        """Add the columns that a table of an older version lacks."""
        from pyiceberg.exceptions import CommitFailedException

        for wait_s in _waits():
            if {field.name for field in table_schema(self._name)} <= {one.name for one in self._table.schema().fields}:
                return
            try:
                with self._table.update_schema() as update:
                    update.union_by_name(table_schema(self._name))
            except CommitFailedException:
                time.sleep(wait_s)
            self.held = self._looked_at()
        raise self._busy()

    def put(self, rows: Mapping[str, pa.Table], digests: Mapping[str, str], gone: set[str] | None = None) -> None:
        """Write the rows of shards, in place of those that the table has of them; delete those of shards ``gone``.

        One transaction. ``rows`` and ``digests`` are by shard.

        Raises:
            RunConflictError: another export put rows of other commits of a shard, or the table is never left alone.

        """
        for wait_s in _waits():
            lacking = {shard: found for shard, found in rows.items() if self._lacks(shard, found, digests[shard])}
            removed = (gone or set()) & self.held.keys()
            if not (lacking or removed):
                return
            self._check_nobody_changed({*lacking, *removed})
            if self._commit([*lacking.values()], (lacking.keys() | removed) & self.held.keys()):
                now = {shard: (digests[shard], found.num_rows) for shard, found in lacking.items()}
                for known in (self.held, self._known):
                    for shard in removed:
                        known.pop(shard, None)
                    known |= now
                return
            time.sleep(wait_s)
            self.held = self._looked_at()
        raise self._busy()

    def _lacks(self, shard: str, rows: pa.Table, digest: str) -> bool:
        return self.held.get(shard, ("", 0))[0] != digest and (rows.num_rows > 0 or shard in self.held)

    def _looked_at(self) -> Held:
        """Return what the newest snapshot holds of the run."""
        self._table.refresh()
        digests, rows = dict[str, str](), Counter[str]()
        for batch in self._batches():
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame), "two columns are a frame"
            for shard, commits, n in frame.group_by(SHARD, COMMITS).len().iter_rows():
                digests[shard] = commits if digests.get(shard, commits) == commits else ""  # two: neither is right
                rows[shard] += n
        return {shard: (digest, rows[shard]) for shard, digest in digests.items()}

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Yield what the run's rows are of, file after file: pyiceberg's own reader holds all files at once."""
        from pyiceberg.expressions import EqualTo
        from pyiceberg.io.pyarrow import ArrowScan

        scan = self._table.scan(EqualTo(PARTITION, self._run_id), selected_fields=(SHARD, COMMITS))
        reader = ArrowScan(self._table.metadata, self._table.io, scan.projection(), scan.row_filter)
        for file in scan.plan_files():
            yield from reader.to_record_batches([file])

    def _check_nobody_changed(self, shards: set[str]) -> None:
        """Raise if a shard is not as this export knows it: to put ours could undo newer commits of another's."""
        for shard in sorted(shards):
            if self.held.get(shard) != self._known.get(shard):
                raise RunConflictError(
                    f"{self._name}: another export of this run put other commits of {shard} at the same time. Wait "
                    "until it has ended, then export again."
                )

    def _commit(self, rows: list[pa.Table], replaced: set[str]) -> bool:
        """Commit if nobody wrote since the table was looked at; return whether it did."""
        from pyiceberg.exceptions import CommitFailedException
        from pyiceberg.expressions import And, EqualTo, In

        # pyiceberg would repeat an append on top of what others wrote, which may be these very rows. Set only in this
        # process's copy, which is read for nothing else: the stored table keeps its own.
        self._table.metadata.properties[_RETRIES] = "0"
        try:
            with self._table.transaction() as change:
                if replaced:
                    change.delete(And(EqualTo(PARTITION, self._run_id), In(SHARD, replaced)))
                if rows:
                    change.append(pa.concat_tables(rows))
        except CommitFailedException:
            return False
        return True

    def _busy(self) -> RunConflictError:
        return RunConflictError(
            f"{self._name}: the table was changed by others at each of {_TRIES} tries. Export again when they are done."
        )


def _waits() -> list[float]:
    """Return seconds to wait after each failed try: longer each time, and not as long as another's."""
    return [min(_MOST_WAIT_S, _FIRST_WAIT_S * 2**n) * random.uniform(0.5, 1) for n in range(_TRIES)]
