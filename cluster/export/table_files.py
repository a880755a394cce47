"""Rows of some shards -> one Parquet file for each table, as warehouses read them.

In: tables of shards, some at a time. Out: the files' bytes. Each addition is a row group (or some, if it is long) whose
rows are sorted by the table's key, with statistics. ``run_id`` is no column: it is in the files' path, and engines
refuse a column that is in both. Knows nothing about where files go.
"""

import io
from collections.abc import Mapping

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.schemas.tables import TABLES

SORTED_BY = {
    "items": ["model", "task", "item_id"],
    "chains": ["model", "task", "item_id", "strategy", "variant", "chain_index"],
    "observations": ["model", "task", "item_id", "strategy", "variant", "probe", "chain_index", "arm", "reader"],
    "estimates": ["model", "task", "strategy", "variant", "channel", "probe", "metric", "method", "reader", "position"],
    "comparisons": ["kind", "task", "strategy", "channel", "metric", "method", "model_a", "model_b", "family", "at"],
    "verdicts": ["model", "task", "strategy", "channel", "stratum"],
}
"""The columns that rows are sorted by; no two rows of items, chains and observations share them all."""
PARTITION = "run_id"
_MOST_ROWS = 1_000_000
"""Rows of a row group."""


def exported_schema(name: str) -> pa.Schema:
    """Return the columns of a table's files."""
    schema = TABLES[name]
    return schema.remove(schema.get_field_index(PARTITION))


class TableFile:
    """The file of one table, written row group by row group."""

    def __init__(self, name: str, run_id: str) -> None:
        self._name = name
        self._buffer = io.BytesIO()
        own = exported_schema(name)
        self._schema = own.with_metadata({**(own.metadata or {}), "cotfaith.run_id": run_id})
        by = [(column, "ascending") for column in SORTED_BY[name]]
        self._writer = pq.ParquetWriter(
            self._buffer,
            self._schema,
            compression="zstd",
            write_statistics=True,
            write_page_index=True,
            sorting_columns=pq.SortingColumn.from_ordering(self._schema, by, null_placement="at_start"),
        )
        self.rows = 0

    @property
    def size(self) -> int:
        """The bytes so far; 0 without rows."""
        return self._buffer.tell() if self.rows else 0

    def add(self, frame: pl.DataFrame) -> None:
        """Write some rows as a row group."""
        if frame.is_empty():
            return
        rows = frame.drop(PARTITION).sort(SORTED_BY[self._name], nulls_last=False, maintain_order=True).to_arrow()
        self._writer.write_table(rows.select(self._schema.names).cast(self._schema), row_group_size=_MOST_ROWS)
        self.rows += len(frame)

    def finish(self) -> bytes:
        """Return the file."""
        self._writer.close()
        return self._buffer.getvalue()


class ShardFiles:
    """The files of some shards: one of each table of rows."""

    def __init__(self, run_id: str) -> None:
        self._files = {name: TableFile(name, run_id) for name in ("items", "chains", "observations")}

    @property
    def size(self) -> int:
        """The bytes of the largest so far."""
        return max(one.size for one in self._files.values())

    def add(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Write the rows of some whole shards."""
        for name, one in self._files.items():
            one.add(tables[name])

    def finish(self) -> dict[str, tuple[int, bytes]]:
        """Return table -> rows and bytes; a table without rows has a file too, since some engines refuse no files."""
        return {name: (one.rows, one.finish()) for name, one in self._files.items()}
