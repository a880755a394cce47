"""``cotfaith schema --ddl``: every dialect is parsed by a real parser; DuckDB runs its own over an export."""

import pytest
from runs_here import finish
from whole_runs import tables

from cotfaith.cluster.export.ddl import DIALECTS, ddl
from cotfaith.cluster.export.warehouse import export_parquet
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
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


def parsed(dialect):
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot is not installed: pip install sqlglot")
    text = ddl(dialect, "s3://bucket/ware'house/")
    return [one for one in sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE) if one is not None]


@pytest.mark.parametrize("dialect", sorted(KINDS))
def test_each_table_has_its_columns_and_types(dialect):
    from sqlglot import exp

    statements = [one for one in parsed(dialect) if isinstance(one, exp.Create)]
    assert [one.find(exp.Table).name for one in statements] == list(TABLES)
    for one, (name, schema) in zip(statements, TABLES.items(), strict=True):
        assert isinstance(one.this, exp.Schema)
        defined = {column.name: column.args["kind"] for column in one.this.expressions}
        wanted = [column for column in schema.names if column != "run_id"]
        assert [column for column in defined if column != "run_id"] == wanted, name
        assert ("run_id" in defined) == (dialect in ("databricks", "snowflake"))
        for column in wanted:
            kind, found = str(schema.field(column).type), defined[column].this.name
            if kind in KINDS[dialect]:
                assert found == KINDS[dialect][kind], (dialect, column)
            else:
                assert found == ("VARIANT" if dialect == "snowflake" else "ARRAY"), (dialect, column)
        assert "run_id" in one.sql(dialect).rpartition("PARTITION")[2]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_an_address_with_a_quote_stays_one_text(dialect):
    from sqlglot import exp

    literals = {text.this for one in parsed(dialect) for text in one.find_all(exp.Literal) if text.is_string}
    places = {text for text in literals if "bucket" in text}
    assert all(text.startswith("s3://bucket/ware'house/") for text in places)
    assert len(places) > 0 or dialect == "snowflake"  # its address is the stage's


def test_duckdb_reads_what_was_exported(tmp_path, cli, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    run = LocalStore(finish(tmp_path, SPEC) / "run")
    monkeypatch.chdir(tmp_path)
    for command in ("aggregate", "gate"):
        assert cli(command, "run")[0] == 0
    run_id = load_run(run).run_id
    export_parquet(run, load_run(run), LocalStore(tmp_path / "ware'house"))
    code, text, err = cli("schema", "--ddl", "duckdb", "--at", "ware'house")
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
