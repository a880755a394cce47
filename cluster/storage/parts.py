"""One Parquet file of a run, read and checked against the commit that names it.

In: the file's bytes, the commit, and which of its parts it is. Out: a table in the present schema, or
``RunFolderError`` that names the file, what is wrong and what to do. Files of older versions are read: columns that
they lack are null.
"""

import hashlib
from collections.abc import Collection, Mapping, Set

import pyarrow as pa
import pyarrow.compute as pc

from cotfaith.cluster.storage.piece_counts import difference
from cotfaith.cluster.storage.upgrade import upgrade
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.parquet import read_parquet, read_with_schema
from cotfaith.schemas.run_objects import Commit, Part
from cotfaith.schemas.tables import OLDEST_VERSION, SCHEMA_VERSION, TABLES

FINITE = ("difficulty", "position", "similarity", "p_gold")
"""Columns that estimates are computed from; a NaN in them would count as a number."""
CODED = frozenset(
    {
        *("run_id", "model", "task", "item_id", "strategy", "variant", "probe", "status"),
        *("arm", "condition", "reader", "reader_role", "channel", "finish_reason"),
    }
)
"""Columns with few values, which are cheaper to compare as codes."""
Columns = Mapping[str, Collection[str]]
"""Table -> the names of columns."""
_AGAIN = "To do what it held again, and what rests on it: cotfaith run SPEC --repair."
_RESTORE = "Restore it: the run is of an older cotfaith, and its rows cannot be done again."


def checked_part(
    data: bytes | None, part: Part, commit: Commit, run_id: str | None = None, columns: Columns | None = None
) -> pa.Table:
    """Return the table of a committed Parquet file, checked against its commit, and the run's id if that is given.

    ``columns``: those to return of each table, in place of all of them; columns in ``CODED`` are then dictionaries.

    Raises:
        RunFolderError: the object is missing, is not what was committed, or belongs to another run.

    """
    key, again = part.key, _way_out(commit)
    if data is None:
        raise RunFolderError(f"{key} is committed but missing. Was the run's folder changed by hand? {again}")
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise RunFolderError(f"{key} is not what was committed (sha256 differs). Was it changed by hand? {again}")
    try:
        table = _table(data, part.table) if columns is None else _some_of(data, part.table, columns[part.table])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunFolderError(f"{key} cannot be read: {str(error).splitlines()[0]} {again}") from None
    _check_rows(table, part, commit, run_id)
    return table


def _table(data: bytes, name: str) -> pa.Table:
    return in_schema(read_parquet(data), name)


def _some_of(data: bytes, name: str, columns: Collection[str]) -> pa.Table:
    """Return some columns; an old file is read whole, because it may keep facts in others."""
    table, schema = read_with_schema(data, columns, CODED)
    if (schema.metadata or {}).get(b"cotfaith.schema_version", b"").decode() == str(SCHEMA_VERSION):
        in_schema(schema.empty_table(), name, coded_schema(name, TABLES[name].names))  # columns that are not read too
        return in_schema(table, name, coded_schema(name, columns))
    whole = _table(data, name)
    return pa.table(
        [whole.column(field.name).cast(field.type) for field in coded_schema(name, columns)],
        schema=coded_schema(name, columns),
    )


def coded_schema(name: str, columns: Collection[str]) -> pa.Schema:
    """Return the schema of some columns of a table; those in ``CODED`` are dictionaries."""
    fields = [field for field in TABLES[name] if field.name in columns]
    coded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([field.with_type(coded) if field.name in CODED else field for field in fields])


def in_schema(table: pa.Table, name: str, schema: pa.Schema | None = None) -> pa.Table:
    """Convert a table, as it was written, to the present schema of ``name``; columns that it lacks are null.

    ``schema``: the part of it that was read, if that is not all.

    Raises:
        ValueError: a later version wrote it, or it is another table.

    """
    wanted, metadata = schema or TABLES[name], table.schema.metadata or {}
    found = (metadata.get(b"cotfaith.table", b"").decode(), metadata.get(b"cotfaith.schema_version", b"").decode())
    if found[0] != name:
        raise ValueError(f"it holds {found[0] or 'no table of ours'!r}, expected {name!r}.")
    if found[1] not in map(str, range(OLDEST_VERSION, SCHEMA_VERSION + 1)):
        raise ValueError(
            f"its schema version is {found[1]}, and this cotfaith reads {OLDEST_VERSION} to {SCHEMA_VERSION}: "
            "update cotfaith."
        )
    table = _upgraded(table, name, int(found[1]))
    columns = dict(zip(table.column_names, table.columns, strict=True))
    known = set(wanted.names)
    if more := [column for column in columns if column not in known]:
        raise ValueError(f"it has columns that {name} lack: {', '.join(more)}.")
    return pa.table([_column(columns, field, table.num_rows) for field in wanted], schema=wanted)


def _upgraded(table: pa.Table, name: str, version: int) -> pa.Table:
    try:
        return upgrade(table, name, version)
    except KeyError as error:
        raise ValueError(f"it lacks a column: {error}.") from None


def _column(columns: Mapping[str, pa.ChunkedArray], field: pa.Field, n_rows: int) -> pa.ChunkedArray:
    column = columns.get(field.name)
    if column is None:
        if not field.nullable:
            raise ValueError(f"it has no column {field.name!r}.")
        return pa.chunked_array([pa.nulls(n_rows, field.type)])
    if column.type != field.type:
        raise ValueError(f"its column {field.name!r} is {column.type}, expected {field.type}.")
    if column.null_count and not field.nullable:
        raise ValueError(f"its column {field.name!r} has nulls.")
    return column


def _check_rows(table: pa.Table, part: Part, commit: Commit, run_id: str | None) -> None:
    """Raise unless the number of rows, and their model, task, item and piece, match their commit."""
    if table.num_rows != part.rows:
        raise RunFolderError(f"{part.key} has {table.num_rows} rows, its commit says {part.rows}. {_way_out(commit)}")
    if found := next((name for name in FINITE if name in table.column_names and _is_odd(table.column(name))), None):
        raise RunFolderError(f"{part.key} has rows whose {found} is not a finite number. {_way_out(commit)}")
    wanted = {"model": commit.model, "task": commit.task} | ({} if run_id is None else {"run_id": run_id})
    wanted |= {} if commit.reader is None else {"reader": commit.reader}
    for name, value in wanted.items():
        _check_values(table, name, {value}, part, commit)
    if not _is_old(commit):
        _check_values(table, "item_id", set(commit.items), part, commit)
    if "status" in table.column_names:
        _check_pieces(table, part, commit)


def _check_values(table: pa.Table, name: str, wanted: Set[str], part: Part, commit: Commit) -> None:
    column = table.column(name)
    if wanted >= _known(column):
        return
    other = [found for found in pc.unique(column).to_pylist() if found not in wanted]
    if other:
        one = repr(next(iter(wanted))) if len(wanted) == 1 else "one of its commit"
        raise RunFolderError(
            f"{part.key} has rows whose {name} is {other[0]!r}, expected {one}. Were files of another run copied "
            f"here? {_way_out(commit)}"
        )


def _known(column: pa.ChunkedArray) -> set[str | None]:
    """Return at least the values that occur, without reading rows if they are coded."""
    if not pa.types.is_dictionary(column.type):
        return set(pc.unique(column).to_pylist())
    coded = {value for chunk in column.chunks for value in chunk.dictionary.to_pylist()}
    return coded | {None} if column.null_count else coded


def _check_pieces(table: pa.Table, part: Part, commit: Commit) -> None:
    """Raise unless the rows of each piece and item, by status, match their commit: ``status`` shows the commit's."""
    if (found := difference(table, commit, commit.items[0] if _is_old(commit) else None)) is not None:
        raise RunFolderError(f"{part.key} {found}. {_way_out(commit)}")


def _way_out(commit: Commit) -> str:
    return _RESTORE if _is_old(commit) else _AGAIN


def _is_old(commit: Commit) -> bool:
    """Return whether it is a commit of an old run, whose items are stand-ins."""
    return not commit.key.startswith(keys.commit_folder(commit.shard_id))


def _is_odd(column: pa.ChunkedArray) -> bool:
    """Return whether a number is infinite or NaN; nulls do not count."""
    return pc.any(pc.invert(pc.is_finite(column))).as_py() is True
