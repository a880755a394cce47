"""Explicit Arrow schemas of everything that a run writes. No inferred types.

``COLUMNS`` says what each column means (docs/results.md). ``TABLES`` has the same columns as files hold them, without
the meanings, which would be longer than the rows of a small file.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from cotfaith.schemas import result_columns, row_columns
from cotfaith.schemas.column import SMALL, required, without_meanings

SCHEMA_VERSION = 6
OLDEST_VERSION = 2
"""The oldest version whose files can still be read: columns that they lack are null."""

_VERSION = required("schema_version", SMALL, "version of the table's columns")

COLUMNS: dict[str, list[pa.Field]] = {
    "items": [_VERSION, *row_columns.ITEMS],
    "chains": [_VERSION, *row_columns.CHAINS],
    "observations": [_VERSION, *row_columns.OBSERVATIONS],
    "estimates": [_VERSION, *result_columns.ESTIMATES],
    "comparisons": [_VERSION, *result_columns.COMPARISONS],
    "verdicts": [_VERSION, *result_columns.VERDICTS],
}


def _schema(name: str) -> pa.Schema:
    metadata = {"cotfaith.table": name, "cotfaith.schema_version": str(SCHEMA_VERSION)}
    return pa.schema(without_meanings(COLUMNS[name]), metadata=metadata)


TABLES: dict[str, pa.Schema] = {name: _schema(name) for name in COLUMNS}
ITEMS, CHAINS, OBSERVATIONS = TABLES["items"], TABLES["chains"], TABLES["observations"]
ESTIMATES, COMPARISONS, VERDICTS = TABLES["estimates"], TABLES["comparisons"], TABLES["verdicts"]


def table_of(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return ``rows`` as the table ``name``; a row may leave out columns that may be null, and has no others."""
    found, schema = list(rows), TABLES[name]
    columns = set(schema.names)
    for row in found:
        assert row.keys() <= columns, f"{name} has no column {', '.join(sorted(row.keys() - columns))}"
    return pa.Table.from_pylist(found, schema=schema)
