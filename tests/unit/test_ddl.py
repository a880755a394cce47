"""``cotfaith schema --ddl``: every dialect is parsed by a real parser; DuckDB runs its own over an export."""

import pytest
from runs_here import finish
from whole_runs import tables

from cotfaith.cluster.export.ddl import DIALECTS, ddl
from cotfaith.cluster.export.warehouse import export_parquet
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.tables import TABLES

SPEC = {
    "models": [{"id": "a", "engine": "stub", "options": {"max_steps": 3}}],
    "tasks": [{"name": "t_1", "generator": "tracking_objects", "n": 3}],
    "probes": ["no_cot"],
    "output": {"path": "run"},
}
HIVE = {"string": "TEXT", "int32": "INT", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}
KINDS = {
    "athena": HIVE,
    "databricks": HIVE,
    "redshift": HIVE | {"string": "VARCHAR"},
    "bigquery": HIVE | {"string": "TEXT", "int32": "BIGINT"},
    "snowflake": HIVE | {"string": "VARCHAR"},
}
"""Arrow's types as the parser names those of each dialect."""

MADE = ("estimates", "comparisons", "verdicts")
PARTITION_COLUMNS = "WITH PARTITION COLUMNS (`run_id` STRING)\n"


def parsed(dialect):
    import sqlglot

    text = ddl(dialect, "s3://bucket/warehouse/")
    if dialect == "bigquery":  # a clause of BigQuery that the parser lacks
        assert text.count(PARTITION_COLUMNS) == len(TABLES)
        text = text.replace(PARTITION_COLUMNS, "")
    return [one for one in sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE) if one is not None]


@pytest.mark.parametrize("dialect", sorted(KINDS))
def test_each_table_has_its_columns_and_types(dialect):
    exp = pytest.importorskip("sqlglot", reason="sqlglot is not installed: pip install sqlglot").exp
    statements = [one for one in parsed(dialect) if isinstance(one, exp.Create)]
    assert [one.find(exp.Table).name for one in statements] == list(TABLES)
    for one, (name, schema) in zip(statements, TABLES.items(), strict=True):
        assert isinstance(one.this, exp.Schema)
        defined = {column.name.lower(): column.args["kind"] for column in one.this.expressions}
        wanted = [column for column in schema.names if column != "run_id"]
        assert [column for column in defined if column != "run_id"] == wanted, name
        assert ("run_id" in defined) == (dialect in ("databricks", "snowflake"))
        for column in wanted:
            kind, found = str(schema.field(column).type), defined[column].this.name
            if kind in KINDS[dialect]:
                assert found == KINDS[dialect][kind], (dialect, column)
            else:
                assert found == ("VARIANT" if dialect == "snowflake" else "ARRAY"), (dialect, column)
        assert dialect == "bigquery" or "run_id" in one.sql(dialect).rpartition("PARTITION")[2].lower()


@pytest.mark.parametrize("place", ["", "s3://b/it's", 's3://b/"x', "s3://b/`x`", "s3://b/\\", "s3://b/\n"])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_an_address_that_could_end_a_text_is_refused(dialect, place):
    with pytest.raises(SpecError, match="--at"):
        ddl(dialect, place)


def test_duckdb_reads_what_was_exported(tmp_path, cli, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    run = LocalStore(finish(tmp_path, SPEC) / "run")
    monkeypatch.chdir(tmp_path)
    assert cli("aggregate", "run")[0] == 0
    run_id = load_run(run).run_id
    export_parquet(run, load_run(run), LocalStore(tmp_path / "warehouse"))
    code, text, err = cli("schema", "--ddl", "duckdb", "--at", "warehouse")
    assert (code, err) == (0, "")
    base = duckdb.connect()
    base.execute(text)
    for name, wanted in tables(run).items():
        found = base.sql(f'SELECT * FROM "{name}"').pl()
        assert set(found["run_id"]) == {run_id}
        found = found.drop("run_id")
        assert found.columns == wanted.columns
        assert found.sort(found.columns[:5]).height == wanted.height
        assert (
            found.select("item_id", "model")
            .sort("item_id", "model")
            .equals(wanted.select("item_id", "model").sort("item_id", "model"))
        )
    for name in ("estimates", "comparisons", "verdicts"):
        base.sql(f'SELECT count(*) FROM "{name}"')
    described = dict(base.sql("SELECT column_name, column_type FROM (DESCRIBE items)").fetchall())
    assert (described["metadata"], described["choices"], described["weight"]) == (
        'STRUCT("key" VARCHAR, "value" VARCHAR)[]',
        "VARCHAR[]",
        "BIGINT",
    )


def test_an_unknown_dialect_is_refused(cli):
    code, _, err = cli("schema", "--ddl", "oracle")
    assert (code, "dialect" in err) == (2, True)
