"""``cotfaith export --to iceberg``: appends that repeat nothing, in a SQL catalog of pyiceberg."""

import pytest
import yaml
from iceberg_here import assert_there, load, on_disk
from runs_here import copy_of, finish
from whole_runs import tables

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import check_spec
from cotfaith.cluster.storage.local import LocalStore

pytest.importorskip("pyiceberg", reason="pyiceberg is not installed: pip install 'pyiceberg[sql-sqlite]'")
pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed: pip install 'pyiceberg[sql-sqlite]'")

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 3}} for name in ("a", "b")],
    "tasks": [{"name": "t_1", "generator": "tracking_objects", "n": 4}],
    "sampling": {"chains_per_item": 2, "max_tokens": 40},
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    on_disk(monkeypatch, tmp_path)
    return LocalStore(copy_of(finished, tmp_path, monkeypatch))


def grow(**changes):
    assert execute(check_spec(yaml.safe_load(yaml.safe_dump(SPEC)) | changes, "spec")) == []


def exported(cli):
    code, text, err = cli("export", "run", "--to", "iceberg", "--catalog", "here")
    assert (code, err) == (0, "")
    return text


def test_exporting_again_adds_exactly_what_is_new_and_replaces_what_was_made_again(run, cli):
    assert "cotfaith.chains: 16 rows (+16)" in exported(cli)
    assert_there(run)
    assert exported(cli).count("(+0)") == 3
    grow(tasks=[SPEC["tasks"][0] | {"n": 6}])
    assert "cotfaith.chains: 24 rows (+8)" in exported(cli)
    before = tables(run)["chains"]
    grow(tasks=[SPEC["tasks"][0] | {"n": 6}], sampling={"chains_per_item": 2, "max_tokens": 80})
    assert not tables(run)["chains"].equals(before), "no chain was cut: the test shows nothing"
    assert "cotfaith.chains: 24 rows (+0)" in exported(cli)
    assert_there(run)


def test_an_export_that_was_cut_off_goes_on(run, cli):
    exported(cli)
    load("chains").delete("model == 'b'")
    assert "cotfaith.chains: 16 rows (+8)" in exported(cli)
    assert_there(run)


def test_a_catalog_that_is_not_configured_is_named(run, cli):
    code, _, err = cli("export", "run", "--to", "iceberg", "--catalog", "none")
    assert (code, "--catalog 'none'" in err) == (2, True)
