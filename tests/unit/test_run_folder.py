"""A damaged, edited or mixed run folder: commands name the object and the fix, with exit code 2."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from runs_here import without_ray

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.shards import Shard
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage import parts
from cotfaith.cluster.storage.read import commits, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunFolderError
from cotfaith.workers.engines.stub.engine import StubEngine

SPEC = {
    "models": [{"id": "m", "engine": "stub"}, {"id": "other", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 4}],
    "probes": ["no_cot", "early_answering", "transfer"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
FIRST = "_commits/m~t~cot~0000000-0000002"
COMMANDS = (("status", "run"), ("aggregate", "run"), ("report", "run"), ("show", "run", "t-000001"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, made once."""
    from cotfaith.cluster.fleet.run import execute

    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        without_ray(monkeypatch)
        Path("spec.yaml").write_text(yaml.safe_dump(SPEC))
        assert execute(load_spec(Path("spec.yaml"))) == []
    return folder


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    """A copy of it, to be damaged; the working directory is beside it."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    return tmp_path / "run"


def edit(path, **changes):
    """Change keys of a JSON object; the new value None means null, ``...`` removes the key."""
    content = json.loads(path.read_text())
    content |= changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))


def within(path, name, **changes):
    """Change keys of an object within a JSON object."""
    edit(path, **{name: json.loads(path.read_text())[name] | changes})


def refused(cli, expected, commands=COMMANDS):
    for command in commands:
        code, out, err = cli(*command)
        assert code == 2, (command, out, err)
        assert "Traceback" not in err
        for words in expected:
            assert words in " ".join(err.split()), (command, err)


def test_the_folder_is_sound(run, cli):
    assert len(list(commits(LocalStore(run)))) == 2 * 2 * 3 + 2 * 2 * 2  # shards x (chains, two probes), and readers
    for command in COMMANDS:
        code, out, err = cli(*command)
        assert (code, err) == (0, ""), command
        assert "Incomplete" not in out
    assert all(commit.key for commit in commits(LocalStore(run)))


COMMIT_DAMAGE = {
    "empty": lambda p: p.write_bytes(b""),
    "cut": lambda p: p.write_bytes(p.read_bytes()[:200]),
    "binary": lambda p: p.write_bytes(b"\0\xff\xfe" * 40),
    "utf-16": lambda p: p.write_bytes(p.read_text().encode("utf-16")),
    "a list": lambda p: p.write_text("[]"),
    "a number": lambda p: p.write_text("5"),
    "too deep": lambda p: p.write_text("[" * 100_000),
    "another object": lambda p: p.write_text('{"a": 1}'),
    "no parts": lambda p: edit(p, parts=...),
    "empty parts": lambda p: edit(p, parts=[]),
    "parts are a text": lambda p: edit(p, parts="x"),
    "a part is null": lambda p: edit(p, parts=[None, None]),
    "no status": lambda p: edit(p, statuses={}),
    "a negative count": lambda p: edit(p, statuses={"ok": -2}),
    "a text as a number": lambda p: edit(p, start="0"),
    "true as a number": lambda p: edit(p, stop=True),
    "another range": lambda p: edit(p, start=1),
    "an empty range": lambda p: edit(p, shard="m~t~cot~0000002-0000002", start=2, stop=2),
    "another model": lambda p: edit(p, model="other"),
    "a path as a model": lambda p: edit(p, model="../m"),
    "another key": lambda p: edit(p, key="_commits/x.json"),
    "another attempt": lambda p: edit(p, attempt="x"),
    "seconds that are no number": lambda p: edit(p, seconds="long"),
}


@pytest.mark.parametrize("damage", COMMIT_DAMAGE.values(), ids=COMMIT_DAMAGE)
def test_a_damaged_commit(run, cli, damage):
    damage(run / f"{FIRST}.json")
    refused(cli, [f"{FIRST}.json"], COMMANDS)
    refused(cli, [f"{FIRST}.json"], [("run", "spec.yaml")])


@pytest.mark.parametrize("damage", ["cut", "another range"])
def test_removing_a_damaged_commit_is_a_way_out(run, cli, damage):
    before = read_tables(LocalStore(run))
    COMMIT_DAMAGE[damage](run / f"{FIRST}.no_cot.json")
    assert cli("run", "spec.yaml")[0] == 2
    (run / f"{FIRST}.no_cot.json").unlink()
    assert "Incomplete: 3 of 4 shards are done." in cli("status", "run")[1]
    assert cli("run", "spec.yaml")[0] == 0
    after = read_tables(LocalStore(run))
    assert all(after[name].equals(before[name]) for name in before)


COPIES = {
    "beside it": f"{FIRST} copy.json",
    "numbered": f"{FIRST} (1).json",
    "a reader's": f"{FIRST}.transfer/m copy.json",
    "in a folder": "_commits/backup/m~t~cot~0000000-0000002.json",
    "as another shard": "_commits/m~t~cot~0000002-0000004.json",
    "as one not there yet": "_commits/m~t~cot~0000004-0000006.json",
    "as a probe's": f"{FIRST}.filler_tokens.json",
    "of another model": "_commits/new~t~cot~0000000-0000002.json",
    "upper case": "_commits/M~T~COT~0000000-0000002.json",
}


@pytest.mark.parametrize("to", COPIES.values(), ids=COPIES)
def test_a_copied_commit_is_refused_and_not_counted(run, cli, to):
    source = f"{FIRST}.transfer/m.json" if "transfer" in to else f"{FIRST}.json"
    (run / to).parent.mkdir(exist_ok=True)
    shutil.copy(run / source, run / to)
    refused(cli, [to, f"belongs at {source}", "rows twice", "Move"])


def test_a_copy_of_an_old_commit_is_refused_too(run, cli):
    """Commits of old runs do not contain their key; it follows from the shard, the probe and the reader."""
    for path in (run / "_commits").rglob("*.json"):
        edit(path, key=...)
    before = read_tables(LocalStore(run))
    assert before["chains"].height == 8
    shutil.copy(run / f"{FIRST}.no_cot.json", run / f"{FIRST}.no_cot 2.json")
    refused(cli, [f"{FIRST}.no_cot 2.json", f"belongs at {FIRST}.no_cot.json"])


def test_a_copied_commit_whose_names_were_changed_is_refused(run, cli):
    """All names of the shard are the new one; the parts are still the old shard's."""
    text = (run / f"{FIRST}.json").read_text()
    new = text.replace("~0000000-0000002.json", "~0000004-0000006.json")
    made = json.loads(new) | {"shard": "m~t~cot~0000004-0000006", "start": 4, "stop": 6}
    (run / "_commits/m~t~cot~0000004-0000006.json").write_text(json.dumps(made))
    refused(cli, ["_commits/m~t~cot~0000004-0000006.json", "are named"])


@pytest.mark.parametrize(
    "name", [".DS_Store", "m~t.json~", "._m~t~cot~0000000-0000002.json", "notes.txt", "x.json.bak"]
)
def test_files_that_are_none_of_ours_are_left_alone_with_a_note(run, name):
    before = read_tables(LocalStore(run))
    (run / "_commits" / name).write_bytes(b"\0\1")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        after = read_tables(LocalStore(run))
    assert any(f"_commits/{name}: not written by cotfaith" in str(w.message) for w in seen)
    assert all(after[table].equals(before[table]) for table in before)


def test_a_note_is_printed(run, cli):
    (run / "_commits" / "note\x1b[31m.txt").write_bytes(b"")
    code, _, err = cli("status", "run")
    assert code == 0
    assert "not written by cotfaith; it is left alone" in " ".join(err.split())
    assert "\x1b" not in err


PART_DAMAGE = {
    "gone": (lambda p: p.unlink(), "committed but missing"),
    "empty": (lambda p: p.write_bytes(b""), "sha256 differs"),
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:-50]), "sha256 differs"),
    "another's": (lambda p: p.write_bytes(next(p.parent.glob("*-0000004-*.parquet")).read_bytes()), "sha256 differs"),
}


@pytest.mark.parametrize(("damage", "words"), PART_DAMAGE.values(), ids=PART_DAMAGE)
@pytest.mark.parametrize("table", ["items", "chains", "observations"])
def test_a_damaged_part(run, cli, table, damage, words):
    path = sorted((run / table / "model=m" / "task=t").rglob("*0000000-0000002-*.parquet"))[0]
    damage(path)
    probe = ".early_answering" if table == "observations" else ""
    name = path.relative_to(run).as_posix()
    refused(cli, [name, words, f"Remove {FIRST}{probe}.json", "run again"], COMMANDS[1:])


def rewrite(run, table, change, probe=None):
    """Change a table in a part, and update the commit's facts about the file: only the content can reveal it."""
    commit = run / (f"{FIRST}.json" if probe is None else f"{FIRST}.{probe}.json")
    content = json.loads(commit.read_text())
    (part,) = (p for p in content["parts"] if p["table"] == table)
    made = change(pq.read_table(run / part["key"]))
    if isinstance(made, bytes):
        (run / part["key"]).write_bytes(made)
    else:
        pq.write_table(made, run / part["key"])
    part["sha256"] = hashlib.sha256((run / part["key"]).read_bytes()).hexdigest()
    commit.write_text(json.dumps(content))
    return part["key"]


def column(table, name, values):
    field = table.schema.field(name)
    return table.set_column(table.column_names.index(name), field, pa.array(values, field.type))


def meta(found, **changes):
    changed = {f"cotfaith.{key}".encode(): value.encode() for key, value in changes.items()}
    return found.replace_schema_metadata({**found.schema.metadata, **changed})


FORGED = {
    "no parquet": (lambda t: b"PAR1 nonsense PAR1", "cannot be read"),
    "another table": (lambda t: meta(t, table="items"), "expected 'chains'"),
    "no table of ours": (lambda t: t.replace_schema_metadata({}), "no table of ours"),
    "a later version": (lambda t: meta(t, schema_version="99"), "update cotfaith"),
    "an older version": (lambda t: meta(t, schema_version="1"), "schema version is 1"),
    "one column more": (
        lambda t: t.append_column("mood", pa.array(["x"] * t.num_rows)),
        "columns that chains lack: mood",
    ),
    "a column less that is never null": (lambda t: t.drop_columns(["strategy"]), "no column 'strategy'"),
    "another type": (
        lambda t: t.set_column(t.column_names.index("correct"), "correct", pa.array(["yes"] * t.num_rows)),
        "column 'correct' is string, expected bool",
    ),
    "nulls": (
        lambda t: t.set_column(t.column_names.index("status"), "status", pa.nulls(t.num_rows, pa.string())),
        "column 'status' has nulls",
    ),
    "a row less": (lambda t: t.slice(1), "has 1 rows, its commit says 2"),
    "another run's": (lambda t: column(t, "run_id", ["x"] * t.num_rows), "run_id is 'x'"),
    "another model's": (lambda t: column(t, "model", ["x"] * t.num_rows), "model is 'x'"),
    "another strategy's": (lambda t: column(t, "strategy", ["x"] * t.num_rows), "strategy is 'x'"),
    "a row twice": (
        lambda t: column(t, "item_id", [t["item_id"][0].as_py()] * t.num_rows),
        "occurs 2 times",
    ),
}


@pytest.mark.parametrize(("change", "words"), FORGED.values(), ids=FORGED)
def test_a_part_that_is_not_what_a_run_writes(run, cli, change, words):
    key = rewrite(run, "chains", change)
    refused(cli, [words] if "times" in words else [key, words, f"Remove {FIRST}.json"], COMMANDS[1:])


UNFIT = {
    "other chains under old probes": ("chains", None, "answer", "B", "reference_answer"),
    "shorter chains under old probes": ("chains", None, "n_steps", 99, "the chain has 99"),
    "probes of other chains": (
        "observations",
        "early_answering",
        "reference_answer",
        "Z",
        "its reference_answer is 'Z'",
    ),
    "chains of other items": ("items", None, "item_id", "other-{}", "on an item that the run's items lack"),
    "no number": ("observations", "no_cot", "position", float("nan"), "position is not a finite number"),
    "an infinite number": ("observations", "early_answering", "position", float("inf"), "position is not a finite"),
    "a difficulty that is no number": ("items", None, "difficulty", float("nan"), "difficulty is not a finite number"),
    "another status": ("observations", "no_cot", "status", "unparsed", "rows by status {'unparsed': 2}"),
}


@pytest.mark.parametrize(("table", "probe", "name", "value", "words"), UNFIT.values(), ids=UNFIT)
def test_rows_that_contradict_the_others_are_refused(run, cli, table, probe, name, value, words):
    def change(found):
        values = [value.format(i) if isinstance(value, str) else value for i in range(found.num_rows)]
        return column(found, name, values)

    rewrite(run, table, change, probe)
    refused(cli, [words, f"Remove {FIRST}"], COMMANDS[1:])


def test_a_reading_by_another_reader_is_refused(run, cli):
    commit = run / f"{FIRST}.transfer/m.json"
    (part,) = json.loads(commit.read_text())["parts"]
    made = column(table := pq.read_table(run / part["key"]), "reader", ["other"] * table.num_rows)
    pq.write_table(made, run / part["key"])
    edit(commit, parts=[part | {"sha256": hashlib.sha256((run / part["key"]).read_bytes()).hexdigest()}])
    refused(cli, ["reader is 'other', expected 'm'", f"Remove {FIRST}.transfer/m.json"], COMMANDS[1:])


def test_chains_that_are_done_anew_and_come_out_otherwise_do_not_mix_with_old_probes(run, cli):
    """Removing only the chains' commit gives new chains, while the probes' rows belong to the old chains."""
    for path in (run / "_commits").glob("m~*[0-9].json"):
        path.unlink()
    assert cli("run", "spec.yaml")[0] == 0  # the stub writes the same chains again
    rewrite(run, "chains", lambda t: column(t, "answer", ["-1"] * t.num_rows))
    code, _, err = cli("run", "spec.yaml")
    assert code == 2
    assert "was made on another chain" in " ".join(err.split())


NO_FILES = {
    "run.json": [("run", "spec.yaml")],
    f"{FIRST}.no_cot.json": [("run", "spec.yaml")],
    f"{FIRST}.transfer/m.json": [("run", "spec.yaml")],
    "estimates.parquet": [("aggregate", "run"), ("report", "run"), ("run", "spec.yaml")],
    "report.html": [("report", "run"), ("run", "spec.yaml")],
}


@pytest.mark.parametrize("kind", ["a broken link", "a folder"])
@pytest.mark.parametrize(("name", "commands"), NO_FILES.items(), ids=NO_FILES)
def test_something_that_is_no_file_in_the_place_of_one(run, cli, name, commands, kind):
    (run / name).unlink(missing_ok=True)
    if kind == "a folder":
        (run / name).mkdir()
    else:
        (run / name).symlink_to(run / "nowhere.json")
    for command in commands:
        code, _, err = cli(*command)
        if kind == "a broken link" and name in ("estimates.parquet", "report.html"):
            assert code == 0  # written over
            continue
        assert code == 1, command  # the disk, not the input
        assert name in err.replace("\n", ""), err
    assert not list(run.rglob(".tmp-*"))


def test_rows_that_two_commits_bring_are_refused(run, cli):
    """A valid commit of the same items under another range, as another shard size would write."""
    plan = make_plan(load_spec(Path("spec.yaml")))
    run_id = json.loads((run / "run.json").read_text())["run_id"]
    job = Job(run_id, plan.spec, Shard("m", "t", "cot", 0, 3), plan.items["t"][:3], True, ())
    run_job(job, {"subject": StubEngine(plan.model("m"))})
    refused(cli, ["_commits/m~t~cot~0000000-0000003.json: items 0 to 3 of 't' are not a shard of this run", "Move"])
    (run / "run.json").unlink()  # nothing to compare with: the rows themselves reveal it
    expected = f"items: the row model 'm'.* occurs 2 times, in {FIRST}.json and _commits/m~t~cot~0000000-0000003"
    with pytest.raises(RunFolderError, match=expected):
        read_tables(LocalStore(run))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"shard_size": 4}, "in shards of 4"), ({"n_items": {"t": 3}}, "which has 3"), ({"n_items": {"t": 400}}, None)],
)
def test_a_run_json_that_no_longer_fits_its_commits_is_refused(run, cli, changes, words):
    edit(run / "run.json", **changes)
    if words is None:  # an incomplete run also has more items than are done
        assert "Incomplete: 4 of 400 shards" in " ".join(cli("status", "run")[1].split())
    else:
        refused(cli, ["are not a shard of this run", words, "run.json"])


def test_commits_of_a_model_that_the_run_never_had_are_refused(run, cli):
    for path in (run / "_commits").rglob("other~*"):
        target = path.with_name(path.name.replace("other~", "third~"))
        if path.is_file():
            target.write_text(path.read_text().replace('"other"', '"third"').replace("other~", "third~"))
    for path in sorted((run / "_commits").glob("third~*.json")):
        path.write_text(path.read_text().replace("model=other", "model=third"))
    refused(cli, ["the run has no model 'third'; it has m, other"])


def test_the_files_of_another_run_are_refused(run, cli, finished):
    """Another complete run with a different id: its parts and commits replace ours here."""
    other = run.parent / "elsewhere"
    shutil.copytree(finished / "run", other)
    edit(other / "run.json", run_id="another")
    shutil.copy(other / "run.json", run / "run.json")
    refused(cli, ["rows whose run_id is", "expected 'another'", "another run"], COMMANDS[1:])


RUN_DAMAGE = {
    "empty": (lambda p: p.write_bytes(b""), "cannot be read"),
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:100]), "cannot be read"),
    "not utf-8": (lambda p: p.write_bytes(b'{"run_id": "\xff"}'), "cannot be read"),
    "a list": (lambda p: p.write_text("[1]"), "the whole"),
    "null": (lambda p: p.write_text("null"), "the whole"),
    "too deep": (lambda p: p.write_text('{"a":' * 50_000), "cannot be read"),
    "shard_size a text": (lambda p: edit(p, shard_size="2"), "shard_size"),
    "shard_size 0": (lambda p: edit(p, shard_size=0), "shard_size"),
    "shard_size true": (lambda p: edit(p, shard_size=True), "shard_size"),
    "n_items a list": (lambda p: edit(p, n_items=[4]), "n_items"),
    "n_items of texts": (lambda p: edit(p, n_items={"t": "4"}), "n_items.t"),
    "n_items without the task": (lambda p: edit(p, n_items={}), "task 't' is not among"),
    "identity a text": (lambda p: edit(p, identity="m"), "identity"),
    "models a list": (lambda p: within(p, "identity", models=["m"]), "models"),
    "no spec": (lambda p: edit(p, spec=...), "has no spec"),
    "spec null": (lambda p: edit(p, spec=None), "spec"),
    "models of texts": (
        lambda p: within(p, "spec", models=["m"]),
        "spec.models.0",
    ),
    "seed a text": (lambda p: within(p, "spec", seed="0"), "spec.seed"),
    "probes a mapping": (lambda p: within(p, "spec", probes={}), "spec.probes"),
    "strategies a text": (lambda p: within(p, "spec", strategies="cot"), "spec.strategies"),
    "strategies a number": (lambda p: within(p, "spec", strategies=5), "spec.strategies"),
    "strategies of nothing": (lambda p: within(p, "spec", strategies=[None]), "spec.strategies.0"),
    "an unknown strategy": (lambda p: within(p, "spec", strategies=["x"]), "strategy 'x' is not among"),
    "readers a list": (lambda p: edit(p, readers=["m"]), "readers"),
    "run_id null": (lambda p: edit(p, run_id=None), "run_id"),
    "created a number": (lambda p: edit(p, created=2026), "created"),
    "a later version": (lambda p: edit(p, schema_version=99), "Update cotfaith"),
}


@pytest.mark.parametrize(("damage", "words"), RUN_DAMAGE.values(), ids=RUN_DAMAGE)
def test_a_damaged_run_json(run, cli, damage, words):
    damage(run / "run.json")
    refused(cli, ["run.json", words, "se another folder"], [*COMMANDS, ("run", "spec.yaml"), ("plan", "spec.yaml")])


def test_keys_of_a_later_version_are_kept(run, cli):
    edit(run / "run.json", later="2026-01-01")
    assert cli("run", "spec.yaml")[0] == 0
    assert json.loads((run / "run.json").read_text())["later"] == "2026-01-01"


def test_a_run_json_that_is_a_folder(run, cli):
    (run / "run.json").unlink()
    (run / "run.json").mkdir()
    code, _, err = cli("status", "run")
    assert code == 1  # the disk, not the input
    assert "run.json: this cannot be read: Is a directory" in " ".join(err.split())


CHECK = {"name": "c", "expected": "e", "value": 0.5, "low": None, "high": None, "n": 3, "result": "passed", "note": ""}
VALIDATION_DAMAGE = {
    "garbage": b"{",
    "empty": b"",
    "a list": b"[]",
    "no checks": b'{"figures": []}',
    "checks a text": b'{"checks": "all"}',
    "checks of texts": b'{"checks": ["passed"]}',
    "a key less": json.dumps({"checks": [{k: v for k, v in CHECK.items() if k != "note"}]}).encode(),
    "a value that is a text": json.dumps({"checks": [CHECK | {"value": "high"}]}).encode(),
    "not a number": json.dumps({"checks": [CHECK | {"value": float("nan")}]}).encode(),
    "an unknown result": json.dumps({"checks": [CHECK | {"result": "maybe"}]}).encode(),
    "a negative count": json.dumps({"checks": [CHECK | {"n": -1}]}).encode(),
}


@pytest.mark.parametrize("content", VALIDATION_DAMAGE.values(), ids=VALIDATION_DAMAGE)
def test_a_damaged_validation(run, cli, content):
    (run / "validation.json").write_bytes(content)
    refused(cli, ["validation.json", "Remove validation.json", "cotfaith validate"], [("report", "run")])


def test_a_sound_validation_is_shown(run, cli):
    (run / "validation.json").write_text(json.dumps({"checks": [CHECK], "later": 1}))
    assert cli("report", "run")[0] == 0
    assert "Did the metrics see the truth?" in (run / "report.html").read_text()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"key": "x"}'])
def test_a_damaged_record_of_what_was_given_up(run, cli, content):
    path = run / "_given_up" / "m~t~cot~0000000-0000002.json"
    path.parent.mkdir()
    path.write_bytes(content)
    refused(cli, ["_given_up/m~t~cot~0000000-0000002.json", "Remove"], [("status", "run"), ("report", "run")])


def test_columns_that_came_later_are_null_in_old_files(run, monkeypatch):
    """A later version adds nullable columns; files of this version are read with nulls there."""
    more = [pa.field("later_flag", pa.bool_()), pa.field("later_number", pa.float64())]
    later = {
        name: pa.schema([*schema, *(more if name != "items" else [])], metadata=schema.metadata)
        for name, schema in parts.TABLES.items()
    }
    monkeypatch.setattr(parts, "TABLES", later)
    monkeypatch.setattr(parts, "SCHEMA_VERSION", parts.SCHEMA_VERSION + 1)
    found = read_tables(LocalStore(run))
    for name in ("chains", "observations"):
        assert found[name].schema["later_flag"] == pl.Boolean
        assert found[name].schema["later_number"] == pl.Float64
        assert found[name].height > 0
        assert found[name]["later_flag"].null_count() == found[name]["later_number"].null_count() == found[name].height


def test_columns_that_came_later_and_are_never_null_are_refused(run, monkeypatch):
    schema = parts.TABLES["chains"].append(pa.field("later", pa.bool_(), nullable=False))
    monkeypatch.setitem(parts.TABLES, "chains", schema)
    with pytest.raises(RunFolderError, match="no column 'later'"):
        read_tables(LocalStore(run))


def test_items_that_are_not_alike_under_two_strategies_are_refused(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    spec = SPEC | {"models": SPEC["models"][:1], "probes": [], "strategies": ["cot", "cot_decomposition"]}
    Path("spec.yaml").write_text(yaml.safe_dump(spec))
    assert cli("run", "spec.yaml")[0] in (0, 1)
    run = tmp_path / "run"
    assert read_tables(LocalStore(run))["items"].height == 4  # written with each strategy, and counted once
    rewrite(run, "items", lambda t: column(t, "question", ["other?"] * t.num_rows))
    refused(cli, ["not the same question under each strategy"], COMMANDS[1:])


def as_version_2(table):
    """Make a part what version 2 wrote: without the columns of ties, and those that came after them."""
    late = ["tied", "gap", "near_tie", "edit_seeds", "variant", "intervention", "target", "channel", "no_cot_mechanism"]
    late += ["condition", "shown_choices", "reader_role"]
    kept = table.drop_columns([name for name in late if name in table.column_names])
    return meta(column(kept, "schema_version", [2] * kept.num_rows), schema_version="2")


def written_by_version_2(run):
    record = json.loads((run / "run.json").read_text())
    for settings in record["identity"]["tasks"].values():
        settings["items"] = "0" * 64  # older versions made other fingerprints of the same items
    edit(run / "run.json", schema_version=2, identity=record["identity"])
    for table, probe in (("chains", None), ("observations", "no_cot")):
        rewrite(run, table, as_version_2, probe)


def test_a_run_that_version_2_wrote_is_read(run, cli):
    written_by_version_2(run)
    found = read_tables(LocalStore(run))
    assert found["chains"].schema["gap"] == pl.Float64
    assert found["chains"]["gap"].null_count() > 0
    had = json.loads((run / "run.json").read_text())["identity"]
    assert cli("aggregate", "run")[0] == cli("report", "run")[0] == cli("run", "spec.yaml")[0] == 0
    assert json.loads((run / "run.json").read_text())["identity"] == had


def test_a_run_that_version_2_wrote_gets_no_more_rows(run, cli):
    """Newer versions make prompts and answers differently: rows of both in one table are not comparable."""
    written_by_version_2(run)
    before = (run / "run.json").read_text()
    code, _, err = cli("run", "spec.yaml", "--set", "probes=[no_cot,early_answering,filler_tokens]")
    assert code == 2
    assert "rows of the two are not comparable" in " ".join(err.split())
    assert (run / "run.json").read_text() == before
