"""The statements that make exported tables known to a warehouse, made of the Arrow schemas.

In: a dialect, and the address of an export's folder (``warehouse.py``). Out: SQL, one statement a table, over the
folder of the table, with ``run_id`` as the partition that the path names. Knows nothing about which files are there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from cotfaith.cluster.export.table_files import PARTITION, exported_schema
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.tables import TABLES

_Kinds = Mapping[pa.DataType, str]
_HIVE: _Kinds = {
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float64(): "double",
}
_REDSHIFT: _Kinds = {**_HIVE, pa.string(): "varchar(65535)", pa.float64(): "double precision"}
_DATABRICKS: _Kinds = {kind: name.upper() for kind, name in _HIVE.items()}
_BIGQUERY: _Kinds = {
    pa.string(): "STRING",
    pa.bool_(): "BOOL",
    pa.int32(): "INT64",
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
}
_SNOWFLAKE: _Kinds = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
}


_DUCKDB: _Kinds = {**_SNOWFLAKE}
_ODD = "'\"`\\"
_COMMA = ",\n"
_DOUBLE = '"'


@dataclass(frozen=True)
class Dialect:
    """How one engine's statements are made."""

    statement: Callable[[str, str], str]
    """Table and the export's address -> its statement."""
    after: str = ""
    """What to run after each export, with ``{name}`` and ``{place}``."""


def ddl(dialect: str, place: str) -> str:
    """Return the statements of all tables; ``dialect`` is one of ``DIALECTS``, ``place`` the export's folder.

    Raises:
        SpecError: ``place`` is empty or has a character that engines quote in different ways.

    """
    if not place.strip() or any(ord(one) < ord(" ") or one in _ODD for one in place):
        raise SpecError(
            f"--at {place!r}: expected a folder or an address without quotes, backslashes and line ends, for example "
            "s3://bucket/warehouse."
        )
    one, address = DIALECTS[dialect], place.rstrip("/")
    statements = [f"{one.statement(name, address)};\n" for name in TABLES]
    then = [f"-- {one.after.format(name=name, place=f'{address}/{name}')};\n" for name in TABLES] if one.after else []
    return "\n".join([*statements, *(["-- After each export:\n" + "".join(then)] if then else [])])


def _athena(name: str, place: str) -> str:
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` (\n{_columns(name, _HIVE, '`')}\n)\n"
        f"PARTITIONED BY (`{PARTITION}` string)\nSTORED AS PARQUET\nLOCATION {_text(f'{place}/{name}/')}"
    )


def _redshift(name: str, place: str) -> str:
    """Return a table of the external schema ``cotfaith``."""
    return (
        f"CREATE EXTERNAL TABLE cotfaith.{name} (\n{_columns(name, _REDSHIFT, _DOUBLE)}\n)\n"
        f'PARTITIONED BY ("{PARTITION}" varchar(100))\nSTORED AS PARQUET\nLOCATION {_text(f"{place}/{name}/")}'
    )


def _databricks(name: str, place: str) -> str:
    """Return a table over files, whose partition is a column of the table too."""
    return (
        f"CREATE TABLE IF NOT EXISTS `{name}` (\n{_columns(name, _DATABRICKS, '`')},\n  `{PARTITION}` STRING\n)\n"
        f"USING PARQUET\nPARTITIONED BY (`{PARTITION}`)\nLOCATION {_text(f'{place}/{name}/')}"
    )


def _bigquery(name: str, place: str) -> str:
    """Return a table of the data set ``cotfaith``."""
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `cotfaith`.`{name}` (\n{_columns(name, _BIGQUERY, '`')}\n)\n"
        f"WITH PARTITION COLUMNS (`{PARTITION}` STRING)\nOPTIONS (\n  format = 'PARQUET',\n"
        f"  uris = [{_text(f'{place}/{name}/*.parquet')}],\n"
        f"  hive_partition_uri_prefix = {_text(f'{place}/{name}')},\n  enable_list_inference = TRUE\n)"
    )


def _snowflake(name: str, place: str) -> str:
    """Return a table over the stage ``cotfaith``, which an administrator makes of the address.

    Names that are not quoted are in upper case there, so columns are too; ``GROUP`` must be quoted.
    """
    kinds = [(field.name, _kind(field.type, _SNOWFLAKE)) for field in exported_schema(name)]
    lines = [f'  "{column.upper()}" {kind} AS (value:"{column}"::{kind})' for column, kind in kinds]
    path, run = f"'{PARTITION}=([^/]+)', 1, 1, 'e', 1", PARTITION.upper()
    lines.append(f'  "{run}" VARCHAR AS (REGEXP_SUBSTR(METADATA$FILENAME, {path}))')
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {name} (\n{_COMMA.join(lines)}\n)\n"
        f'PARTITION BY ("{run}")\nLOCATION = @cotfaith/{name}/\nAUTO_REFRESH = FALSE\n'
        "FILE_FORMAT = (TYPE = PARQUET)"
    )


def _duckdb(name: str, place: str) -> str:
    """Return a view: DuckDB has no external tables. A run's id can look like a number, so its type is stated.

    The union with an empty table gives each column its type, also those that files of older versions lack.
    """
    columns = [(field.name, _kind(field.type, _DUCKDB)) for field in exported_schema(name)] + [(PARTITION, "VARCHAR")]
    empty = _COMMA.join(f'  CAST(NULL AS {kind}) AS "{column}"' for column, kind in columns)
    files = _text(f"{place}/{name}/{PARTITION}=*/*.parquet")
    return (
        f'CREATE OR REPLACE VIEW "{name}" AS\nSELECT\n{empty}\nWHERE FALSE\nUNION ALL BY NAME\nSELECT * FROM '
        f"read_parquet({files}, union_by_name = true, hive_partitioning = true, "
        f"hive_types = {{'{PARTITION}': VARCHAR}})"
    )


def hive_columns(name: str) -> list[tuple[str, str]]:
    """Return the columns of a table's files and their types as Glue takes them: in lower case, without spaces."""
    return [(field.name, _kind(field.type, _HIVE).replace(", ", ",").lower()) for field in exported_schema(name)]


def _columns(name: str, kinds: _Kinds, quote: str) -> str:
    return _COMMA.join(f"  {quote}{field.name}{quote} {_kind(field.type, kinds)}" for field in exported_schema(name))


def _kind(kind: pa.DataType, kinds: _Kinds) -> str:
    """Return a column's type: one of ``kinds``, or what the engine has for lists and pairs."""
    if kind in kinds:
        return kinds[kind]
    if kinds is _SNOWFLAKE:
        return "VARIANT"
    if pa.types.is_list(kind):
        inner = _kind(kind.value_type, kinds)
        return f"{inner}[]" if kinds is _DUCKDB else f"{'ARRAY' if kinds is not _HIVE else 'array'}<{inner}>"
    assert pa.types.is_struct(kind), f"no type for {kind}"
    fields = [kind.field(at) for at in range(kind.num_fields)]
    if kinds is _DUCKDB:
        return f"STRUCT({', '.join(f'{_DOUBLE}{one.name}{_DOUBLE} {_kind(one.type, kinds)}' for one in fields)})"
    between = " " if kinds is _BIGQUERY else ":"
    return f"STRUCT<{', '.join(f'{one.name}{between}{_kind(one.type, kinds)}' for one in fields)}>"


def _text(text: str) -> str:
    return f"'{text}'"


DIALECTS: Mapping[str, Dialect] = {
    "athena": Dialect(_athena, "MSCK REPAIR TABLE `{name}`"),
    "bigquery": Dialect(_bigquery),
    "databricks": Dialect(_databricks, "MSCK REPAIR TABLE `{name}`"),
    "duckdb": Dialect(_duckdb),
    "redshift": Dialect(
        _redshift,
        "ALTER TABLE cotfaith.{name} ADD IF NOT EXISTS PARTITION (run_id='RUN') LOCATION '{place}/run_id=RUN/'",
    ),
    "snowflake": Dialect(_snowflake, "ALTER EXTERNAL TABLE {name} REFRESH"),
}
"""Name -> how its statements are made."""
