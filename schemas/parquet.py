"""Parquet bytes -> an Arrow table, read in the calling thread.

Arrow's reader threads can still hold the bytes when Python exits, and the process then aborts. So no thread but the
caller's reads.
"""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 1024


def read_parquet(data: bytes) -> pa.Table:
    """Return the table; raise what Arrow raises if it is none."""
    return _file(data, ()).read(use_threads=False)


def read_batches(data: bytes) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema, and the rows, ``_ROWS`` at a time, so that a caller can stop before memory is full.

    Raises what Arrow raises, then or while the rows are read.
    """
    file = _file(data, ())
    return file.schema_arrow, file.iter_batches(_ROWS, use_threads=False)


def read_with_schema(data: bytes, columns: Collection[str], coded: Collection[str]) -> tuple[pa.Table, pa.Schema]:
    """Return some columns, and the schema of the whole table; raise what Arrow raises if it is none.

    ``columns``: those to read, without those that the file lacks. ``coded``: columns of strings that are dictionaries,
    in both.
    """
    file = _file(data, coded)
    schema = file.schema_arrow
    return file.read([name for name in schema.names if name in columns], use_threads=False), schema


def _file(data: bytes, coded: Collection[str]) -> pq.ParquetFile:
    footer = pq.read_metadata(pa.BufferReader(data))
    found = footer.schema.to_arrow_schema().names if coded else ()
    dictionaries = [name for name in found if name in coded]
    return pq.ParquetFile(pa.BufferReader(data), metadata=footer, pre_buffer=False, read_dictionary=dictionaries)
