"""Iceberg and other versions of the columns: old runs into present tables, present runs into old and newer ones."""

import polars as pl
import pytest
from iceberg_here import assert_there, load, on_disk, rows_of
from old_runs import SINCE, make_old
from runs_here import copy_of, finish

from cotfaith.cluster.export.iceberg import export_iceberg
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.tables import SCHEMA_VERSION, TABLES

pytest.importorskip("pyiceberg", reason="pyiceberg is not installed: pip install 'pyiceberg[sql-sqlite]'")
pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed: pip install 'pyiceberg[sql-sqlite]'")

SPEC = {
    "models": [{"id": "a", "engine": "stub", "options": {"max_steps": 3}}],
    "tasks": [{"name": "t", "generator": "tracking_objects", "n": 4}],
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
}

VERSION = 2
"""The oldest that there is."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    for name in ("run", "other"):
        finish(folder, SPEC | {"output": {"path": name}})
    return folder


@pytest.fixture
def runs(finished, tmp_path, monkeypatch):
    on_disk(monkeypatch, tmp_path)
    run = copy_of(finished, tmp_path, monkeypatch)
    return LocalStore(run), LocalStore(run.parent / "other")


def export(run):
    return {name: done.added for name, done in export_iceberg(run, load_run(run), "here", "cotfaith").items()}


def since(version, name):
    """The columns of a table that this version did not have."""
    return [column for column in SINCE[version][name] if column in TABLES[name].names]


def make_table_old(version):
    """Turn all tables into what this version would have left: without later columns, and with its digests."""
    from pyiceberg.expressions import AlwaysTrue

    for name in SINCE[version]:
        table, newer = load(name), since(version, name)
        rows = table.scan().to_arrow()
        for column, text in (("schema_version", None), ("shard_commits", f"{version}-older")):
            at = rows.schema.get_field_index(column)
            value = pl.Series([version if text is None else text] * len(rows), strict=False).to_arrow()
            rows = rows.set_column(at, rows.schema.field(at), value.cast(rows.schema.field(at).type))
        with table.transaction() as change:
            change.delete(AlwaysTrue())
        with table.update_schema() as update:
            for column in newer:
                update.delete_column(column)
        table.append(rows.drop_columns(newer))


def test_an_old_run_goes_into_tables_of_the_present_version(runs):
    """Its rows come in the present columns, beside the other run's; its digests are those of its own commits."""
    old, present = runs
    make_old(old.root, VERSION)
    assert export(present) == export(old) == {"items": 4, "chains": 4, "observations": 4}
    assert_there(old, present)
    assert set(export(old).values()) == {0}


def test_a_present_run_goes_into_tables_of_an_old_version(runs):
    """They gain the columns. Rows of a run that is not exported again stay as they are, null where columns are new."""
    run, other = runs
    export(other)
    make_table_old(VERSION)
    before = rows_of("observations")
    newer = since(VERSION, "observations")
    assert set(newer).isdisjoint(before.columns)
    assert export(run)["observations"] == 4
    after = rows_of("observations").filter(pl.col("run_id") == load_run(other).run_id)
    assert after.select(before.columns).equals(before)
    assert after.select(newer).null_count().row(0) == (4,) * len(newer)
    assert set(export(other).values()) == {0}  # as many rows, all written anew
    assert_there(run, other)
    assert set(rows_of("chains")["schema_version"]) == {SCHEMA_VERSION}


def test_tables_of_a_newer_version_take_other_runs_and_keep_their_columns(runs):
    run, other = runs
    export(other)
    make_newer()
    export(run)
    found = rows_of("chains")
    assert found.filter(pl.col("run_id") == load_run(run).run_id)["later"].to_list() == [None] * 4
    with pytest.raises(SpecError, match="a newer cotfaith exported this run there"):
        export(other)
    assert rows_of("chains").equals(found)


def make_newer():
    """Turn the table of chains into what the next version may leave: a column more, and its digests."""
    from pyiceberg.types import StringType

    table = load("chains")
    with table.update_schema() as update:
        update.add_column("later", StringType())
    rows = table.scan().to_arrow()
    at = rows.schema.get_field_index("shard_commits")
    newer = pl.Series([f"{SCHEMA_VERSION + 1}-newer"] * len(rows)).to_arrow().cast(rows.schema.field(at).type)
    table.overwrite(rows.set_column(at, rows.schema.field(at), newer))
