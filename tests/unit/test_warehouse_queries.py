"""infra/warehouse: its queries, run by DuckDB over an export, give the figures of ``aggregate``, cell by cell."""

import re

import jinja2
import polars as pl
import pytest
import yaml
from runs_here import finish

from cotfaith.cluster.export.ddl import ddl
from cotfaith.cluster.export.warehouse import export_parquet
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.tables import TABLES

SPEC = {
    "models": [
        {"id": "a", "engine": "stub", "options": {"max_steps": 3}},
        {"id": "b", "engine": "stub", "thinking": "think_tags", "options": {"max_steps": 5}},
    ],
    "tasks": [{"name": "t_1", "generator": "tracking_objects", "n": 6}],
    "sampling": {"chains_per_item": 2, "max_tokens": 45},
    "interventions": [{"name": "suggested_answer", "arms": ["wrong"]}],
    "probes": ["no_cot", "early_answering", "verbalises"],
    "output": {"path": "run"},
}
METRICS = {
    *("accuracy_cot", "mean_steps", "accuracy_no_cot", "accuracy_cot/paired", "accuracy_no_cot/paired"),
    *("cot_gain", "raw_reliance", "aoc/mean"),
}


def models(repo):
    """Name -> the text of each model."""
    return {path.stem: path.read_text() for path in sorted((repo / "infra" / "warehouse" / "models").rglob("*.sql"))}


def in_order(found):
    """The models, each after those that it refers to."""
    left, done = dict(found), []
    while left:
        ready = [name for name in left if set(re.findall(r"ref\('(\w+)'\)", left[name])) <= set(done)]
        assert ready, f"they refer to each other, or to none: {sorted(left)}"
        done += ready
        left = {name: text for name, text in left.items() if name not in ready}
    return done


@pytest.fixture(scope="module")
def compared(repo, tmp_path_factory):
    """The rows of the model ``compared``, and the run's estimates."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    folder = tmp_path_factory.mktemp("finished")
    run = LocalStore(finish(folder, SPEC) / "run")
    estimates = pl.from_arrow(write_estimates(run, load_run(run)))
    export_parquet(run, load_run(run), LocalStore(folder / "warehouse"))
    base = duckdb.connect()
    base.execute(ddl("duckdb", str(folder / "warehouse")))
    found = models(repo)
    for name in in_order(found):
        query = jinja2.Template(found[name]).render(source=lambda _, table: table, ref=lambda model: model)
        base.execute(f"CREATE VIEW {name} AS {query}")
    return pl.from_arrow(base.sql("SELECT * FROM compared").to_arrow_table()), estimates


def test_every_cell_has_the_value_and_the_counts_of_aggregate(compared):
    found, _ = compared
    assert found["is_there"].all(), found.filter(~pl.col("is_there"))
    for name in ("n_total", "n_ok", "n_items"):
        assert found[name].to_list() == found[f"their_{name}"].to_list(), name
    for row in found.filter(pl.col("withheld").is_null()).to_dicts():
        wanted = row["their_value"]
        assert row["value"] == (None if wanted is None else pytest.approx(wanted, abs=1e-12)), row


def test_no_cell_of_these_metrics_is_left_out(compared):
    found, estimates = compared
    name = pl.concat_str("metric", pl.col("method"), separator="/", ignore_nulls=True)
    of_these = estimates.filter(
        (name.is_in(METRICS) | (pl.col("metric") == "status_share")), pl.col("position").is_null()
    )
    assert len(found) == len(of_these) > 40
    assert set(found.select(name).to_series()) >= METRICS
    assert (found["n_ok"] < found["n_total"]).any(), "no row failed: the test shows little"
    assert set(found["channel"]) == {"", "reasoning"}
    assert found.filter(pl.col("value").is_between(0.01, 0.99)).height > 10


def test_the_sources_are_the_tables(repo):
    about = yaml.safe_load((repo / "infra" / "warehouse" / "models" / "sources.yml").read_text())
    assert [one["name"] for one in about["sources"][0]["tables"]] == list(TABLES)


@pytest.mark.parametrize("dialect", ["athena", "bigquery", "databricks", "redshift", "snowflake", "duckdb"])
def test_each_query_is_parsed_in_each_dialect(repo, dialect):
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot is not installed: pip install sqlglot")
    for text in models(repo).values():
        query = jinja2.Template(text).render(source=lambda _, table: table, ref=lambda model: model)
        (one,) = sqlglot.parse(query, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
        assert isinstance(one, sqlglot.exp.Query)
