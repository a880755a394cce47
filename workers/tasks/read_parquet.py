"""Parquet -> records: texts, numbers, booleans, lists and structs become Python values; dates are kept.

Unlike plain Arrow, float32 gives the number that was written (0.1, not 0.10000000149), and text that is not valid UTF-8
is read with U+FFFD in the place of invalid bytes.
"""

import decimal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cotfaith.schemas import parquet
from cotfaith.schemas.errors import TaskError
from cotfaith.workers.limits import check_bytes, check_count, most_bytes
from cotfaith.workers.tasks.values import Record, Unreadable


def read_parquet(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a Parquet file."""
    try:
        table = _table(path, data, most_bytes())
    except (pa.ArrowException, OSError) as error:
        raise TaskError(f"{path}: not a readable Parquet file: {error}.") from None
    names = table.column_names
    if len(set(names)) < len(names):
        raise TaskError(f"{path}: two columns have the same name: {', '.join(names)}. Rename one of them.")
    values = [_values(column) for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _table(path: Path, data: bytes, most: int) -> pa.Table:
    """Return the table, unless its rows need more than ``most`` bytes: a few bytes can stand for any number of rows."""
    schema, batches = parquet.read_batches(data)
    found, rows, size = [], 0, 0
    for batch in batches:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        check_count(path, rows, most)
        check_bytes(path, size, most, "unpacks to")
        found.append(batch)
    return pa.Table.from_batches(found, schema)


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    try:
        return [_written(value, kind) for value in column.to_pylist()]
    except UnicodeDecodeError:
        return _repaired(column)
    except (ValueError, OverflowError, TypeError, pa.ArrowException):
        return [None if not known else Unreadable(f"a {kind}") for known in column.is_valid().to_pylist()]


def _written(value: Any, kind: pa.DataType) -> Any:
    """Return the value with the digits that were written, at any depth."""
    if value is None:
        return None
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return float(pa.scalar(value, kind).cast(pa.string()).as_py())
    if pa.types.is_decimal(kind):
        return _plain(value)
    if pa.types.is_struct(kind):
        return {field.name: _written(value[field.name], field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_written(part, kind.value_type) for part in value]
    return value


def _plain(value: decimal.Decimal) -> int | str:
    """Return a whole number, or a text with all digits: a float would lose some."""
    return int(value) if value == value.to_integral_value() else format(value, "f")


def _repaired(column: pa.ChunkedArray) -> list[Any]:
    binary = pc.cast(column, _as_bytes(column.type))
    return [_decoded(value) for value in binary.to_pylist()]


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.large_binary() if pa.types.is_large_string(kind) else pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(_as_bytes(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _as_bytes(field.type)) for field in kind])
    return kind


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8", "surrogatepass")  # its surrogate halves are then counted as in any file
        except UnicodeDecodeError:
            return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: _decoded(part) for name, part in value.items()}
    return [_decoded(part) for part in value] if isinstance(value, list) else value
