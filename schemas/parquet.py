"""Parquet bytes -> an Arrow table, read in the calling thread.

Arrow's reader threads can still hold the bytes when Python exits, and the process then aborts. So no thread but the
caller's reads.
"""

import pyarrow as pa
import pyarrow.parquet as pq


def read_parquet(data: bytes) -> pa.Table:
    """Return the whole table; raise what Arrow raises if it is none."""
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)
