"""``cotfaith export --to parquet``: every committed row once, wherever an earlier export broke off."""

import hashlib
import json
import shutil

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from old_runs import make_old
from runs_here import copy_of, finish
from whole_runs import tables

from cotfaith.cluster.export.manifest import manifest_key
from cotfaith.cluster.export.table_files import SORTED_BY
from cotfaith.cluster.export.warehouse import export_parquet
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import check_spec
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.made import made_table
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.schemas.errors import RunConflictError, SpecError
from cotfaith.schemas.tables import SCHEMA_VERSION

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 3}} for name in ("a", "b")],
    "tasks": [{"name": "t_1", "generator": "tracking_objects", "n": 6}],
    "sampling": {"chains_per_item": 2, "max_tokens": 40},
    "probes": ["no_cot", "early_answering"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
ROWS = ("items", "chains", "observations")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    return LocalStore(copy_of(finished, tmp_path, monkeypatch))


@pytest.fixture
def out(tmp_path):
    return LocalStore(tmp_path / "warehouse")


def export(run, out, file_bytes=2**20):
    return export_parquet(run, load_run(run), out, file_bytes)


def globbed(out, name, run_id):
    """What a glob over a table's folder finds."""
    found = sorted((out.root / name / f"run_id={run_id}").glob("*.parquet"))
    return pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in found])


def assert_exported(run, out):
    """A glob finds the run's rows, each once, and the manifest names those files and no others."""
    run_id = load_run(run).run_id
    manifest = json.loads(out.get(manifest_key(run_id)))
    files = [one for group in manifest["groups"] for one in group["files"].values()]
    for name, wanted in tables(run).items():
        by = SORTED_BY[name]
        assert globbed(out, name, run_id).sort(by).equals(wanted.sort(by)), name
        own = sorted(one["key"] for one in files if one["key"].startswith(f"{name}/"))
        assert own == [key for key in out.list(f"{name}/run_id={run_id}/") if key.endswith(".parquet")]
        assert sum(one["rows"] for one in files if one["key"] in own) == len(wanted) > 0
    assert manifest["complete"] is True
    assert sum(one["commits"] for one in manifest["groups"]) == len(list(read_ledger(run).commits()))


def grow(run, **changes):
    """Go on with the run under a changed spec."""
    content = yaml.safe_load(yaml.safe_dump(SPEC)) | changes
    assert execute(check_spec(content, "spec")) == []


def more_items(n):
    return {"tasks": [SPEC["tasks"][0] | {"n": n}]}


def test_every_committed_row_is_there_once_and_no_orphan(run, out):
    parts = list(run.list("_parts/"))
    for at, key in enumerate(parts):
        run.put(f"{key.rpartition('/')[0]}/{at:012x}.{key.rpartition('.')[2]}", run.get(key))  # attempts cut off
    done = export(run, out)
    assert_exported(run, out)
    assert done.added["chains"] == 2 * 6 * 2
    assert done.added["items"] == 2 * 6


def test_exporting_twice_adds_nothing_and_writes_nothing(run, out):
    export(run, out)
    before = {key: (out.root / key).stat().st_mtime_ns for key in out.list()}
    done = export(run, out)
    assert (set(done.added.values()), list(done.written)) == ({0}, [])
    assert {key: (out.root / key).stat().st_mtime_ns for key in out.list()} == before


def test_after_more_shards_exactly_these_are_added(run, out, monkeypatch):
    export(run, out)
    grow(run, **more_items(10))
    done = export(run, out)
    assert (done.added["items"], done.added["chains"]) == (2 * 4, 2 * 4 * 2)
    assert_exported(run, out)
    assert set(export(run, out).added.values()) == {0}


def test_rows_that_a_later_generation_replaced_are_gone(run, out):
    export(run, out)
    grow(run, probes=[*SPEC["probes"], "filler_tokens"])
    commits = len(list(read_ledger(run).commits()))
    grow(run, probes=[*SPEC["probes"], "filler_tokens"], sampling={"chains_per_item": 2, "max_tokens": 80})
    assert len(list(read_ledger(run).commits())) > commits, "no chain was cut: the test shows nothing"
    export(run, out)
    assert_exported(run, out)


def test_files_grow_to_the_size_asked_and_full_ones_stay(run, out):
    first = export(run, out, file_bytes=1)  # a group is full with its first shards
    assert [len(one.shards) for one in first.manifest.groups] == [1] * 6
    grow(run, **more_items(8))
    second = export(run, out, file_bytes=1)
    assert second.manifest.groups[:6] == first.manifest.groups
    assert {key.rpartition("/")[2] for key in second.written} == {"00006.parquet", "00007.parquet"}
    grow(run, **more_items(10))
    third = export(run, out)  # the last group is not full by this size
    assert [len(one.shards) for one in third.manifest.groups] == [1] * 7 + [1 + 2]
    assert_exported(run, out)


class BrokenOffError(Exception):
    """The process ends here."""


class Failing(LocalStore):
    """A store that lets so many changes through."""

    def __init__(self, root, changes):
        super().__init__(root)
        self.left = changes

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise BrokenOffError

    def put(self, key, data):
        self._count()
        super().put(key, data)

    def put_if_absent(self, key, data):
        self._count()
        return super().put_if_absent(key, data)

    def put_if_unchanged(self, key, data, tag):
        self._count()
        return super().put_if_unchanged(key, data, tag)

    def delete(self, key):
        self._count()
        super().delete(key)


def breaks_off(run, out, changes, file_bytes):
    """Whether an export with so many changes breaks off."""
    try:
        export(run, Failing(out.root, changes), file_bytes)
    except BrokenOffError:
        return True
    return False


def names_whole_files(out, run_id):
    """Whether the manifest, if there is one, names files that are as it says."""
    manifest = out.get(manifest_key(run_id))
    groups = json.loads(manifest)["groups"] if manifest else ()
    files = [one for group in groups for one in group["files"].values()]
    return all(hashlib.sha256(out.get(one["key"])).hexdigest() == one["sha256"] for one in files)


def test_wherever_it_breaks_off_no_row_is_twice_and_the_next_one_completes_it(run, out, tmp_path):
    small = {"models": SPEC["models"][:1], "output": {"path": "small"}, "probes": ["no_cot"]}
    run, longer = LocalStore(run.root.parent / "small"), {"chains_per_item": 2, "max_tokens": 80}
    grow(run, **small, **more_items(4))
    export(run, out)
    grow(run, **small, **more_items(8), sampling=longer)  # new shards, and chains that the limit cut are replaced
    run_id, broke, changes = load_run(run).run_id, True, 0
    while broke:
        here = LocalStore(tmp_path / f"at-{changes}")
        shutil.copytree(out.root, here.root)
        broke = breaks_off(run, here, changes, file_bytes=3000)
        for name in ROWS:
            assert not globbed(here, name, run_id).select(SORTED_BY[name]).is_duplicated().any(), (name, changes)
        assert names_whole_files(here, run_id)
        export(run, here, file_bytes=1)
        assert_exported(run, here)
        changes += 1
    assert changes > 8


@pytest.mark.parametrize("at", [0, 2, 5], ids="put {}".format)
def test_two_exports_at_once_end_in_an_error_and_the_next_begins_anew(run, out, at):
    """Also a plain glob finds no row twice, though the two have cut the run into other files."""

    class Rival(LocalStore):
        """A store in which another export is done while this one writes."""

        puts = 0

        def put(self, key, data):
            if self.puts == at:
                export(run, out, file_bytes=1)
            self.puts += 1
            super().put(key, data)

    run_id = load_run(run).run_id
    with pytest.raises(RunConflictError, match="at the same time"):
        export(run, Rival(out.root))
    assert out.get(manifest_key(run_id)) is None
    for name in ROWS:
        assert not globbed(out, name, run_id).select(SORTED_BY[name]).is_duplicated().any(), name
    export(run, out)
    assert_exported(run, out)


def test_exports_of_two_runs_into_one_folder_at_once_do_not_meet(run, out):
    other = LocalStore(run.root.parent / "other")
    grow(other, output={"path": "other"})

    class Rival(LocalStore):
        """A store in which the other run is exported while this one is."""

        raced = False

        def put(self, key, data):
            if not self.raced:
                self.raced = True
                export(other, out)
            super().put(key, data)

    export(run, Rival(out.root))
    for one in (run, other):
        assert_exported(one, out)


def test_row_groups_are_sorted_with_statistics_and_say_so(run, out):
    export(run, out)
    for name in ROWS:
        (key,) = out.list(f"{name}/")
        file = pq.ParquetFile(out.root / key)
        frame = pl.from_arrow(file.read())
        assert frame.select(SORTED_BY[name]).equals(frame.select(SORTED_BY[name]).sort(SORTED_BY[name]))
        group = file.metadata.row_group(0)
        assert [one.column_index for one in group.sorting_columns][:2] == [1, 2]  # model, task
        model = group.column(1)
        assert (model.path_in_schema, model.statistics.min, model.statistics.max) == ("model", "a", "b")
        assert "run_id" not in file.schema_arrow.names
        assert file.schema_arrow.metadata[b"cotfaith.run_id"].decode() == load_run(run).run_id


def test_runs_share_a_folder_and_tables_of_commands_come_along(run, out, cli):
    other = LocalStore(run.root.parent / "other")
    grow(other, output={"path": "other"})
    for one in (run, other):
        assert cli("aggregate", one.root)[0] == 0
        export(one, out)
        assert_exported(one, out)
    names = [load_run(one).run_id for one in (run, other)]
    assert [path.name for path in sorted((out.root / "chains").iterdir())] == sorted(f"run_id={one}" for one in names)
    wanted = pl.from_arrow(made_table(run, names[0], "estimates"))
    found = globbed(out, "estimates", names[0])
    assert len(found) == len(wanted) > 0
    assert found["value"].sum() == pytest.approx(wanted["value"].sum())
    assert set(export(run, out).added.values()) == {0}


def test_what_a_newer_version_exported_is_left_alone(run, out):
    export(run, out)
    key = manifest_key(load_run(run).run_id)
    out.put(key, json.dumps(json.loads(out.get(key)) | {"schema_version": SCHEMA_VERSION + 1}).encode())
    before = {one: out.get(one) for one in out.list()}
    with pytest.raises(SpecError, match="a newer cotfaith exported this run here"):
        export(run, out)
    assert {one: out.get(one) for one in out.list()} == before


@pytest.mark.parametrize("version", [2, 4])
def test_runs_of_older_versions_are_exported_in_the_present_columns(run, out, version):
    make_old(run.root, version)
    export(run, out)
    for name, wanted in tables(run).items():
        by = SORTED_BY[name]
        assert globbed(out, name, load_run(run).run_id).sort(by).equals(wanted.sort(by)), name


def test_files_of_an_older_version_are_written_anew(run, out):
    run_id = load_run(run).run_id
    export(run, out)
    old = json.loads(out.get(manifest_key(run_id))) | {"schema_version": SCHEMA_VERSION - 1}
    out.put(manifest_key(run_id), json.dumps(old).encode())
    done = export(run, out)
    assert {key.partition("/")[0] for key in done.written} >= set(ROWS)
    assert done.manifest.schema_version == SCHEMA_VERSION
    assert_exported(run, out)


def test_what_cannot_be_meant_is_refused_before_anything_is_written(run, out, cli):
    def says(*arguments):
        code, _, err = cli("export", "run", *arguments)
        return code, " ".join(err.split())

    run_id = load_run(run).run_id
    assert says("--to", "csv")[0] == 2
    for given, words in [
        (["--out", "run"], "this is a run's folder"),
        (["--out", "gs://x/y"], "--out: gs:// is not supported"),
        (["--model", "a"], "--model and --task are for --to inspect"),
        (["--file-mb", "0"], "--file-mb: got 0, expected 1 to 1024"),
    ]:
        code, err = says("--to", "parquet", *given)
        assert (code, words in err) == (2, True), err
    assert "--file-mb is for" in says("--to", "inspect", "--file-mb", "5")[1]
    out.put(f"chains/run_id={run_id}/mine.parquet", b"x")
    assert "no export wrote this file" in says("--to", "parquet")[1]
    out.delete(f"chains/run_id={run_id}/mine.parquet")
    out.put(manifest_key(run_id), b"{}")
    assert "this is no manifest" in says("--to", "parquet")[1]
    assert list(out.list()) == [manifest_key(run_id)]


def test_the_command_says_what_it_added(run, cli):
    code, text, err = cli("export", "run", "--to", "parquet")
    assert (code, err) == (0, "")
    assert "chains: 24 rows (+24) in 1 files" in text
    assert "chains: 24 rows (+0) in 1 files" in cli("export", "run", "--to", "parquet")[1]
