"""Parquet bytes -> an Arrow table, read in the calling thread.

Arrow's reader threads can still hold the bytes when Python exits, and the process then aborts. So no thread but the
caller's reads.
"""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.parquet as pq


def read_parquet(data: bytes, columns: Collection[str] | None = None, coded: Collection[str] = ()) -> pa.Table:
    """Return the table; raise what Arrow raises if it is none.

    ``columns``: those to read, without those that the file lacks; None: all. ``coded``: columns of strings to return as
    dictionaries.
    """
    footer = pq.read_metadata(pa.BufferReader(data))
    found = footer.schema.to_arrow_schema().names
    dictionaries = [name for name in found if name in coded]
    file = pq.ParquetFile(pa.BufferReader(data), metadata=footer, pre_buffer=False, read_dictionary=dictionaries)
    names = None if columns is None else [name for name in found if name in columns]
    return file.read(names, use_threads=False)


def read_schema(data: bytes) -> pa.Schema:
    """Return the schema of the whole table; raise what Arrow raises if it is none."""
    return pq.read_schema(pa.BufferReader(data))
