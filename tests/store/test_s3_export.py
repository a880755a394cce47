"""Tables exported from a run in object storage into object storage, and read there by DuckDB."""

import uuid

import jinja2
import polars as pl
import pytest
from duckdb_here import over_s3
from runs_here import finish
from whole_runs import tables

from cotfaith.cluster.export.table_files import SORTED_BY
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import open_store

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 4}} for name in ("a", "b")],
    "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 6}],
    "sampling": {"chains_per_item": 2},
    "probes": ["no_cot", "early_answering"],
    "resources": {"shard_size": 2},
}
QUERIES = ("staging/stg_chains", "staging/stg_observations", "scores", "status_shares", "my_estimates", "compared")

pytestmark = pytest.mark.usefixtures("no_ray")  # one that was started earlier has no credentials


@pytest.fixture
def base(seaweed):
    """DuckDB, which reads ``s3://`` by its own extension."""
    return over_s3(seaweed)


def test_export_adds_what_is_new_and_duckdb_gives_the_figures_of_aggregate(seaweed, base, repo, tmp_path, cli):
    url, out = (seaweed.url(f"{name}/{uuid.uuid4().hex}") for name in ("run", "out"))
    finish(tmp_path, SPEC | {"output": {"path": url}})
    assert cli("aggregate", url)[0] == 0
    code, text, err = cli("export", url, "--to", "parquet", "--out", out)
    assert (code, err, "chains: 24 rows (+24) in 1 files" in text) == (0, "", True)
    assert "chains: 24 rows (+0) in 1 files" in cli("export", url, "--to", "parquet", "--out", out)[1]
    finish(tmp_path, SPEC | {"output": {"path": url}, "tasks": [SPEC["tasks"][0] | {"n": 8}]})
    assert cli("aggregate", url)[0] == 0
    assert "chains: 32 rows (+8) in 1 files" in cli("export", url, "--to", "parquet", "--out", out)[1]
    base.execute(cli("schema", "--ddl", "duckdb", "--at", out)[1])
    run = open_store(url)
    for name, wanted in tables(run).items():
        found = pl.from_arrow(base.sql(f'SELECT * FROM "{name}"').to_arrow_table())
        assert set(found["run_id"]) == {load_run(run).run_id}
        assert found.drop("run_id").sort(SORTED_BY[name]).equals(wanted.sort(SORTED_BY[name])), name
    folder = repo / "infra" / "warehouse" / "models"
    for name in QUERIES:
        text = (folder / f"{name}.sql").read_text()
        query = jinja2.Template(text).render(source=lambda _, table: table, ref=lambda model: model)
        base.execute(f"CREATE VIEW {name.rpartition('/')[2]} AS {query}")
    cells = pl.from_arrow(base.sql("SELECT * FROM compared").to_arrow_table())
    assert len(cells) > 10
    for row in cells.filter(pl.col("withheld").is_null()).to_dicts():
        assert row["value"] == (None if row["their_value"] is None else pytest.approx(row["their_value"], abs=1e-12))
        assert [row[one] for one in ("n_total", "n_ok")] == [row[f"their_{one}"] for one in ("n_total", "n_ok")]
