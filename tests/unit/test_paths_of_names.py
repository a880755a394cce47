"""Names become paths and keys: none of them leads out of the folder that it belongs to."""

import json
from pathlib import Path

import pytest
import yaml
from commands import in_process
from run_records import commit, run_record

from cotfaith.cluster.storage.local import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import ModelSourceError, RunFolderError, SpecError
from cotfaith.schemas.old_commits import parse_old_commit
from cotfaith.schemas.run_folder import (
    parse_commit,
    parse_given_up,
    parse_live_status,
    parse_noise,
    parse_quarantined,
    parse_run,
)
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.organisms.folder import resolve_source
from cotfaith.workers.remote.cache import cache_root
from cotfaith.workers.remote.model_folder import model_folder
from cotfaith.workers.tasks import load_task

BAD = ["..", "../x", "/etc/x", "a/b", "a/../b", ".hidden", "a\\b", "a\0b", "a\n", "a ", "", "x" * 101, "é", "~", "-x"]
"""What no name may be."""
MODEL = {"id": "m", "engine": "stub"}
TASK = {"name": "t", "generator": "addition", "n": 1}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(
    "change",
    [
        lambda name: {"models": [MODEL | {"id": name}]},
        lambda name: {"models": [MODEL | {"family": name}]},
        lambda name: {"tasks": [TASK | {"name": name}]},
        lambda name: {"probes": [name]},
        lambda name: {"interventions": [name]},
        lambda name: {"strategies": [name]},
        lambda name: {"tasks": [TASK | {"generator": name}]},
    ],
    ids=["model id", "family", "task name", "probe", "intervention", "strategy", "generator"],
)
def test_a_spec_takes_no_such_name(change, name, tmp_path, monkeypatch):
    from cotfaith.cluster.plan.plan import make_plan

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError):
        make_plan(parse_spec({"models": [MODEL], "tasks": [TASK]} | change(name)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("field", ["model", "task", "attempt"])
def test_a_commit_takes_no_such_name(field, name):
    found = commit(statuses={"ok": [0, 0]}).data() | {field: name}
    with pytest.raises(RunFolderError):
        parse_commit(json.dumps(found).encode(), found["key"])


@pytest.mark.parametrize("key", ["../x.json", "_commits/../../x.json", "/etc/x.json"])
def test_an_object_at_another_key_is_refused(key):
    found = commit(statuses={"ok": [0, 0]}).data() | {"key": key}
    with pytest.raises(RunFolderError):
        parse_commit(json.dumps(found).encode(), key)


@pytest.mark.parametrize("key", ["/etc/passwd", "../outside", "_parts/m/t/../../../outside.items"])
def test_a_part_outside_the_folder_is_not_read(key):
    found = commit(statuses={"ok": [0, 0]}).data()
    found["parts"][0]["key"] = key
    with pytest.raises(RunFolderError, match="are named"):
        parse_commit(json.dumps(found).encode(), found["key"])


@pytest.mark.parametrize("name", BAD)
def test_other_objects_take_no_such_name(name):
    shard = {"model": "m", "task": "t", "start": 0, "stop": 2}
    item = {"key": "k", **shard, "item": "i", "index": 0, "reason": "r", "attempts": 1, "at": "now"}
    gone = {"key": "k", "role": "subject", "model": "m", "reason": "r", "lacking": [], "at": "now"}
    noise = {"key": "k", "model": "m", "engine": "e", "dtype": "d", "nats": 0.0, "assumed": 0.1, "prompts": 2}
    run = run_record().data()
    for parse, data in (
        (lambda d: parse_quarantined(d, "k"), item | {"model": name}),
        (lambda d: parse_quarantined(d, "k"), item | {"reader": name}),
        (lambda d: parse_given_up(d, "k"), gone | {"role": name}),
        (lambda d: parse_given_up(d, "k"), gone | {"model": name}),
        (lambda d: parse_noise(d, "k"), noise | {"error": None, "at": "now", "model": name}),
        (lambda d: parse_old_commit(d, "k"), {**shard, "shard": "s", "strategy": name, "probe": None, "attempt": "a"}),
        (parse_run, run | {"ranges": {name: run["ranges"]["t"]}}),
        (parse_run, run | {"spec": run["spec"] | {"models": [{"id": name, "source": "", "roles": []}]}}),
        (parse_live_status, {"models": [{"model": name, "stage": "shards"}]}),
    ):
        with pytest.raises(RunFolderError):
            parse(json.dumps(data).encode())


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/tmp/out", "a\0b"])
@pytest.mark.parametrize(
    "use",
    [
        lambda store, key: store.get(key),
        lambda store, key: store.put(key, b"x"),
        lambda store, key: store.put_if_absent(key, b"x"),
        lambda store, key: store.delete(key),
        lambda store, key: list(store.list(key + "/")),
        lambda store, key: list(store.folders(key + "/")),
        lambda store, key: store.folder_tag(key + "/"),
    ],
    ids=["get", "put", "put_if_absent", "delete", "list", "folders", "folder_tag"],
)
def test_a_store_uses_no_key_that_leads_out_of_it(tmp_path, use, key):
    (tmp_path / "out").write_bytes(b"secret")
    with pytest.raises(RunFolderError, match="leads out of the run's folder"):
        use(LocalStore(tmp_path / "run"), key)
    assert (tmp_path / "out").read_bytes() == b"secret"


@pytest.mark.parametrize("name", [name for name in BAD if name == name.strip()])  # white space around it is left out
@pytest.mark.parametrize("field", ["model", "task"])
def test_imported_records_take_no_such_name(tmp_path, monkeypatch, field, name):
    monkeypatch.chdir(tmp_path)
    row = {"item": "q", "model": "m", "task": "t", "variant": "plain", "prediction": "A", "gold": "B", "n_choices": 4}
    Path("a.json").write_text(json.dumps([row | {"chain": "A.", field: name}]))
    done = in_process("import", "--paired", "a.json", "--out", "run")
    assert done.returncode == 2, done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", "a/b", "x\0y", "a\nb"])
def test_ids_of_items_are_data_and_never_paths(tmp_path, monkeypatch, name):
    """Any text can be an id: it is a value in tables, and no key or file is made of it."""
    from runs_here import without_ray

    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    Path("t.json").write_text(json.dumps([{"id": name, "q": "Is it?", "a": "yes"}]))
    fields = {"id": "id", "question": "q", "gold": "a"}
    task = {"name": "t", "file": "t.json", "fields": fields, "answer_format": "boolean"}
    Path("s.yaml").write_text(yaml.safe_dump({"models": [MODEL], "tasks": [task], "output": {"path": "run"}}))
    assert load_task(parse_spec(yaml.safe_load(Path("s.yaml").read_text())).tasks[0], 0)[0].id == name
    assert in_process("run", "s.yaml").returncode == 0
    assert in_process("show", "run", name).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "s.yaml", "t.json"]
    made = {path.relative_to(tmp_path / "run").parts[0] for path in (tmp_path / "run").rglob("*")}
    assert made <= {"run.json", "report.html", "estimates.parquet", "comparisons.parquet", "verdicts.parquet"} | {
        one for one in made if one.startswith("_")
    }


@pytest.mark.parametrize("name", ["../reasoner", "/etc", "", ".", "reasoner/../reasoner"])
def test_an_organism_is_a_name_in_the_package(name):
    with pytest.raises(ModelSourceError):
        resolve_source(f"organism:{name}")


@pytest.mark.parametrize("revision", ["../../x", "/etc", "a/../../../x"])
def test_a_revision_stays_in_the_cache(tmp_path, monkeypatch, revision):
    monkeypatch.setenv("COTFAITH_CACHE", str(tmp_path))
    place = model_folder("s3://bucket/folder", "models.m", revision)._place("whole")
    assert place.resolve().is_relative_to(cache_root().resolve() / "models")
    assert place.parent.parent == cache_root() / "models"


@pytest.mark.parametrize("table", ["../x", "items/../x", "/etc/x", "estimates"])
def test_a_part_is_of_a_known_table(table):
    with pytest.raises(SpecError):
        keys.part(table, "m/t/0-1", "a")


def test_the_rules_are_tested_on_names_that_are_refused():
    """A control: the same objects with a sound name are taken."""
    found = commit(statuses={"ok": [0, 0]}).sealed()
    assert parse_commit(found.as_json(), found.key) == found
    assert parse_spec({"models": [MODEL], "tasks": [TASK]}).models[0].id == "m"
