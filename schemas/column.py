"""One column of a table: its name, its Arrow type, whether it can be null, and what it means, with its unit.

Meanings are for people (docs/results.md). Files hold names and types only.
"""

from collections.abc import Iterable

import pyarrow as pa

TEXT, TEXTS = pa.string(), pa.list_(pa.string())
FLAG, FLAGS = pa.bool_(), pa.list_(pa.bool_())
SMALL, WHOLE = pa.int32(), pa.int64()
NUMBER = pa.float64()
_MEANING = b"meaning"


def column(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    """Return a column that can be null."""
    return pa.field(name, kind, metadata={_MEANING: meaning})


def required(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    """Return a column that is never null."""
    return pa.field(name, kind, nullable=False, metadata={_MEANING: meaning})


def meaning(field: pa.Field) -> str:
    """Return what a column means."""
    return str((field.metadata or {})[_MEANING].decode())


def without_meanings(fields: Iterable[pa.Field]) -> list[pa.Field]:
    """Return the columns as files hold them."""
    return [field.remove_metadata() for field in fields]
