"""A damaged, edited or mixed run folder: commands name the object and the fix, with exit code 2."""

import hashlib
import json
import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from old_runs import make_old, old_id, old_key
from run_damage import COMMANDS, edit, in_first, refused, within, write
from runs_here import copy_of, finish, without_ray

from cotfaith.cluster.storage import parts
from cotfaith.cluster.storage.read import read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_folder import parse_commit

SPEC = {
    "models": [{"id": "m", "engine": "stub"}, {"id": "other", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 4}],
    "probes": ["no_cot", "early_answering", "transfer"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
FIRST = "_commits/m/t/0000000-0000002"
CHAINS, PROBES, TRANSFER = (f"{FIRST}/{generation:05d}.json" for generation in range(3))
"""The commits of the first shard: chains, the probes that ran together, and the reading by m (one by other follows)."""
PARTS = "_parts/m/t/0000000-0000002"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, made once."""
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    """A copy of it, to be damaged; the working directory is beside it."""
    return copy_of(finished, tmp_path, monkeypatch)


def test_the_folder_is_sound(run, cli):
    found = list(read_ledger(LocalStore(run)).commits())
    assert len(found) == 2 * 2 * 2 + 2 * 2 * 2  # shards x (chains, probes), and readers
    for command in COMMANDS:
        code, out, err = cli(*command)
        assert (code, err) == (0, ""), command
        assert "Incomplete" not in out
    first = {one.key: [(p.probe, p.reader) for p in one.pieces] for one in found if one.key.startswith(FIRST)}
    assert first == {
        CHAINS: [(None, None)],
        PROBES: [("early_answering", None), ("no_cot", None)],
        TRANSFER: [("transfer", "m")],
        f"{FIRST}/00003.json": [("transfer", "other")],
    }


def in_piece(path, **changes):
    in_first(path, "pieces", **changes)


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
    "no status": lambda p: in_piece(p, statuses={}),
    "a negative count": lambda p: in_piece(p, statuses={"ok": [-2, 4]}),
    "a count too few": lambda p: in_piece(p, statuses={"ok": [2]}),
    "a wrong count": lambda p: in_piece(p, statuses={"ok": [1, 2]}),
    "no pieces": lambda p: edit(p, pieces=[]),
    "a piece twice": lambda p: edit(p, pieces=json.loads(p.read_text())["pieces"] * 2),
    "chains with a probe": lambda p: in_piece(p, probe="no_cot"),
    "a place that is none": lambda p: in_piece(p, cut=[2]),
    "no items": lambda p: edit(p, items=[]),
    "an item less": lambda p: edit(p, items=["t-000000"]),
    "an item twice": lambda p: edit(p, items=["t-000000", "t-000000"]),
    "more items than the shard has": lambda p: edit(p, items=["t-000000", "t-000001", "t-000002"]),
    "no texts": lambda p: edit(p, texts=[]),
    "texts of fewer items": lambda p: in_first(p, "texts", hashes=[["0"]]),
    "texts of another strategy": lambda p: in_first(p, "texts", strategy="x"),
    "a generation that it is not": lambda p: edit(p, generation=1),
    "a limit of nothing": lambda p: edit(p, max_tokens=0),
    "a text as a number": lambda p: edit(p, start="0"),
    "true as a number": lambda p: edit(p, stop=True),
    "another range": lambda p: edit(p, start=1),
    "an empty range": lambda p: edit(p, start=2, stop=2),
    "another model": lambda p: edit(p, model="other"),
    "a path as a model": lambda p: edit(p, model="../m"),
    "another key": lambda p: edit(p, key="_commits/x.json"),
    "another attempt": lambda p: edit(p, attempt="x"),
    "seconds that are no number": lambda p: edit(p, seconds="long"),
}


@pytest.mark.parametrize("damage", COMMIT_DAMAGE.values(), ids=COMMIT_DAMAGE)
def test_a_damaged_commit(run, cli, damage):
    damage(run / CHAINS)
    refused(cli, [CHAINS], COMMANDS)
    refused(cli, [CHAINS], [("run", "spec.yaml")])


@pytest.mark.parametrize("damage", ["cut", "another range"])
def test_removing_a_damaged_commit_is_a_way_out(run, cli, damage):
    before = read_tables(LocalStore(run))
    COMMIT_DAMAGE[damage](run / PROBES)
    assert cli("run", "spec.yaml")[0] == 2
    (run / PROBES).unlink()
    assert "Incomplete: 3 of 4 shards are done." in cli("status", "run")[1]
    assert cli("run", "spec.yaml")[0] == 0
    after = read_tables(LocalStore(run))
    assert all(after[name].equals(before[name]) for name in before)


def test_every_bit_of_a_commit_that_flips_is_found(run):
    """Also in what nothing else reveals: a chain's hash, which texts were cut, the limit, the seconds."""
    data = (run / CHAINS).read_bytes()
    whole = parse_commit(data, CHAINS)
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        with suppress(RunFolderError):
            assert parse_commit(flipped, CHAINS) == whole  # white space


def test_a_changed_hash_of_a_chain_is_found_and_repaired(run, cli):
    """Probes could never be done on such a chain: none has its hash."""
    before = read_tables(LocalStore(run))
    content = json.loads((run / CHAINS).read_text())
    content["texts"][0]["hashes"][0] = ["0123456789abcdef"]
    (run / CHAINS).write_text(json.dumps(content))
    refused(cli, [CHAINS, "it is not what was written (its sha256 differs)"])
    assert cli("run", "spec.yaml", "--repair")[0] == 0
    after = read_tables(LocalStore(run))
    assert all(after[table].equals(before[table]) for table in before)


COPIES = {
    "beside it": f"{FIRST}/00000 copy.json",
    "numbered": f"{FIRST}/00000 (1).json",
    "in a folder": "_commits/backup/m/t/0000000-0000002/00000.json",
    "as another shard": "_commits/m/t/0000002-0000004/00009.json",
    "as one not there yet": "_commits/m/t/0000004-0000006/00000.json",
    "as the next": f"{FIRST}/00004.json",
    "with fewer digits": f"{FIRST}/0.json",
    "of another model": "_commits/new/t/0000000-0000002/00000.json",
    "of another task": "_commits/m/u/0000000-0000002/00000.json",
    "upper case": "_commits/M/T/0000000-0000002/00000.json",
}


@pytest.mark.parametrize("source", [CHAINS, PROBES, TRANSFER])
@pytest.mark.parametrize("to", COPIES.values(), ids=COPIES)
def test_a_copied_commit_is_refused_and_not_counted(run, cli, to, source):
    (run / to).parent.mkdir(exist_ok=True, parents=True)
    shutil.copy(run / source, run / to)
    refused(cli, [to, f"belongs at {source}", "rows twice", "Move"])


def test_a_renamed_commit_is_refused(run, cli):
    (run / PROBES).rename(run / FIRST / "00007.json")
    refused(cli, [f"{FIRST}/00007.json", f"belongs at {PROBES}", "rows twice"])


def test_a_copied_commit_whose_names_were_changed_is_refused(run, cli):
    """All names of the shard are the new one; the parts are still the old shard's."""
    text = (run / CHAINS).read_text()
    to = CHAINS.replace("0000000-0000002", "0000004-0000006")
    made = json.loads(text) | {"key": to, "start": 4, "stop": 6}
    (run / to).parent.mkdir()
    write(run / to, made)
    refused(cli, [to, "are named"])


def test_a_copied_commit_with_the_next_generation_takes_the_place_of_the_first_and_counts_nothing_twice(run):
    """It names the same rows: an edited copy can say nothing else, because parts are checked against it."""
    before = read_tables(LocalStore(run))
    copy = FIRST + "/00004.json"
    (run / copy).write_bytes((run / CHAINS).read_bytes())
    edit(run / copy, key=copy, generation=4)
    after = read_tables(LocalStore(run))
    assert all(after[table].equals(before[table]) for table in before)


@pytest.mark.parametrize("name", [".DS_Store", "00000.json~", "._00000.json", "notes.txt", "x.json.bak"])
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
    "another's": (lambda p: p.write_bytes(other_part(p).read_bytes()), "sha256 differs"),
}


def other_part(path):
    """The same table of the other shard."""
    return next((path.parent.parent / "0000002-0000004").glob(f"*{path.suffix}"))


@pytest.mark.parametrize(("damage", "words"), PART_DAMAGE.values(), ids=PART_DAMAGE)
@pytest.mark.parametrize("table", ["items", "chains", "observations"])
def test_a_damaged_part(run, cli, table, damage, words):
    path = sorted((run / PARTS).glob(f"*.{table}"))[0]
    damage(path)
    name = path.relative_to(run).as_posix()
    refused(cli, [name, words, "cotfaith run SPEC --repair"], COMMANDS[1:])


def rewrite(run, table, change, key=None):
    """Change a table in a commit's part, and the commit's facts about the file: only the content can reveal it."""
    commit = run / (key or (PROBES if table == "observations" else CHAINS))
    content = json.loads(commit.read_text())
    (part,) = (p for p in content["parts"] if p["table"] == table)
    made = change(pq.read_table(run / part["key"]))
    if isinstance(made, bytes):
        (run / part["key"]).write_bytes(made)
    else:
        pq.write_table(made, run / part["key"])
    part["sha256"] = hashlib.sha256((run / part["key"]).read_bytes()).hexdigest()
    write(commit, content)
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
    "another task's": (lambda t: column(t, "task", ["x"] * t.num_rows), "task is 'x'"),
    "another strategy's": (lambda t: column(t, "strategy", ["x"] * t.num_rows), "1 rows of x plain t-000000 ok"),
    "another variant's": (lambda t: column(t, "variant", ["x"] * t.num_rows), "rows of cot x t-000000 ok"),
    "another item's": (lambda t: column(t, "item_id", ["t-000000", "t-000003"]), "item_id is 't-000003'"),
    "rows of one item twice": (
        lambda t: column(t, "item_id", [t["item_id"][0].as_py()] * t.num_rows),
        "its commit says 1",
    ),
}


@pytest.mark.parametrize(("change", "words"), FORGED.values(), ids=FORGED)
def test_a_part_that_is_not_what_a_run_writes(run, cli, change, words):
    key = rewrite(run, "chains", change)
    refused(cli, [key, words, "cotfaith run SPEC --repair"], COMMANDS[1:])


def test_a_row_that_a_commit_has_twice_is_refused(run, cli):
    """The commit's counts were changed too: the rows themselves reveal it."""
    rewrite(run, "chains", lambda t: pa.concat_tables([t, t.slice(0, 1)]))
    content = json.loads((run / CHAINS).read_text())
    content["pieces"][0]["statuses"] = {"ok": [2, 1]}
    next(part for part in content["parts"] if part["table"] == "chains")["rows"] = 3
    write(run / CHAINS, content)
    refused(cli, ["chains: the row model 'm'", "item_id 't-000000'", "occurs 2 times", CHAINS], COMMANDS[1:])


FIT, AGAIN = f"Remove {FIRST}", "cotfaith run SPEC --repair"
UNFIT = {
    "other chains under old probes": ("chains", "answer", "B", "reference_answer", FIT),
    "shorter chains under old probes": ("chains", "n_steps", 99, "the chain has 99", FIT),
    "probes of other chains": ("observations", "reference_answer", "Z", "its reference_answer is 'Z'", FIT),
    "items that are others": ("items", "item_id", "other-{}", "item_id is 'other-0'", AGAIN),
    "no number": ("observations", "position", float("nan"), "position is not a finite number", AGAIN),
    "an infinite number": ("observations", "position", float("inf"), "position is not a finite", AGAIN),
    "a difficulty that is no number": ("items", "difficulty", float("nan"), "difficulty is not a finite number", AGAIN),
    "another status": ("observations", "status", "unparsed", "by status it has {'unparsed':", AGAIN),
    "another probe": ("observations", "probe", "x", "rows of cot plain", AGAIN),
}


@pytest.mark.parametrize(("table", "name", "value", "words", "way_out"), UNFIT.values(), ids=UNFIT)
def test_rows_that_contradict_the_others_are_refused(run, cli, table, name, value, words, way_out):
    def change(found):
        values = [value.format(i) if isinstance(value, str) else value for i in range(found.num_rows)]
        return column(found, name, values)

    rewrite(run, table, change)
    refused(cli, [words, way_out], COMMANDS[1:])


def test_chains_of_items_that_the_run_s_items_lack_are_refused(run, cli):
    def fewer(found):
        return pa.concat_tables([found.slice(0, 1)] * 2)

    rewrite(run, "items", fewer)
    refused(cli, ["items: the row model 'm'", "occurs 2 times"], COMMANDS[1:])
    rewrite(run, "items", lambda t: t.slice(0, 1))
    content = json.loads((run / CHAINS).read_text())
    content["parts"][0]["rows"] = 1
    write(run / CHAINS, content)
    refused(cli, ["m t t-000001 cot, is on an item that the run's items lack", FIT], COMMANDS[1:])


def test_a_reading_by_another_reader_is_refused(run, cli):
    rewrite(run, "observations", lambda t: column(t, "reader", ["other"] * t.num_rows), TRANSFER)
    refused(cli, ["reader is 'other', expected 'm'", "cotfaith run SPEC --repair"], COMMANDS[1:])


def test_chains_that_are_done_anew_and_come_out_as_they_were_keep_their_probes(run, cli):
    before = read_tables(LocalStore(run))
    for path in (run / "_commits/m").rglob("00000.json"):
        path.unlink()
    assert "Incomplete: 2 of 4 shards are done." in cli("status", "run")[1]
    assert cli("run", "spec.yaml")[0] == 0  # the stub writes the same chains again
    after = read_tables(LocalStore(run))
    assert all(after[table].equals(before[table]) for table in before)
    made = [one.pieces[0].probe for one in read_ledger(LocalStore(run)).commits() if one.generation > 3]
    assert made == [None, None]


def test_chains_that_are_done_anew_and_come_out_otherwise_renew_what_rests_on_them(run, cli, monkeypatch):
    """Rows on the old chains do not count: their commits name the hashes of the old texts."""
    for path in (run / "_commits/m").rglob("00000.json"):
        path.unlink()
    from cotfaith.workers.engines.stub.engine import StubEngine

    written = StubEngine._chain
    monkeypatch.setattr(StubEngine, "_chain", lambda self, *a: "Well. " + written(self, *a))
    assert cli("run", "spec.yaml")[0] == 0
    found = read_tables(LocalStore(run))
    assert found["chains"].filter(model="m")["text"].str.starts_with("Well. ").all()
    assert not found["chains"].filter(model="other")["text"].str.starts_with("Well. ").any()
    made = [one for one in read_ledger(LocalStore(run)).commits() if one.generation > 3]
    pieces = [("m", None, None), ("m", "early_answering", None), ("m", "no_cot", None)]
    pieces += [("m", "transfer", reader) for reader in ("m", "other")]
    assert sorted((one.model, p.probe or "", p.reader or "") for one in made for p in one.pieces) == sorted(
        (model, probe or "", reader or "") for model, probe, reader in pieces * 2
    )


def test_rows_on_other_chains_that_say_they_rest_on_the_present_ones_are_refused(run, cli):
    rewrite(run, "chains", lambda t: column(t, "answer", ["-1"] * t.num_rows))
    code, _, err = cli("run", "spec.yaml")
    assert code == 2
    assert "was made on another chain" in " ".join(err.split())


NO_FILES = {
    "run.json": [("run", "spec.yaml")],
    f"{FIRST}/00003.json": [("run", "spec.yaml")],  # the next generation's place
    "estimates.parquet": [("aggregate", "run"), ("report", "run"), ("run", "spec.yaml")],
    "comparisons.parquet": [("aggregate", "run"), ("report", "run"), ("run", "spec.yaml")],
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
        if kind == "a broken link" and name in ("estimates.parquet", "comparisons.parquet", "report.html"):
            assert code == 0  # written over
            continue
        assert code == 1, command  # the disk, not the input
        assert name in err.replace("\n", ""), err
    assert not list(run.rglob(".tmp-*"))


@pytest.mark.parametrize("kind", ["a broken link", "a folder"])
@pytest.mark.parametrize("name", [CHAINS, PROBES, TRANSFER])
def test_no_file_in_the_place_of_a_commit_is_no_commit_and_its_work_is_done_again(run, cli, name, kind):
    before = read_tables(LocalStore(run))
    (run / name).unlink()
    if kind == "a folder":
        (run / name).mkdir()
    else:
        (run / name).symlink_to(run / "nowhere.json")
    assert "Incomplete: 3 of 4 shards are done." in cli("status", "run")[1]
    assert cli("run", "spec.yaml")[0] == 0
    after = read_tables(LocalStore(run))
    assert all(after[table].equals(before[table]) for table in before)


def as_shard(run, start, stop):
    """Copy the first shard's chains as those of other items, names of parts included."""
    shard = f"{start:07d}-{stop:07d}"
    to = CHAINS.replace("0000000-0000002", shard)
    (run / to).parent.mkdir()
    (run / to).write_text((run / CHAINS).read_text().replace("0000000-0000002", shard))
    edit(run / to, start=start, stop=stop)
    shutil.copytree(run / PARTS, run / PARTS.replace("0000000-0000002", shard))
    return to


def test_rows_that_two_commits_bring_are_refused(run, cli):
    """A valid commit of the same items under another range, as another shard size would write."""
    to = as_shard(run, 0, 3)
    refused(cli, [f"{to}: items 0 to 3 of 't' are not a shard of this run", "Move"])
    (run / "run.json").unlink()  # nothing to compare with: the rows themselves reveal it
    expected = f"chains: the row model 'm'.* occurs 2 times, in {CHAINS} and {to}"
    with pytest.raises(RunFolderError, match=expected):
        read_tables(LocalStore(run))


def range_of(stop=4, shard_size=2, start=0):
    return {"t": [{"start": start, "stop": stop, "shard_size": shard_size, "items": ""}]}


@pytest.mark.parametrize(
    ("ranges", "words"),
    [(range_of(shard_size=4), "which has 4 of its items"), (range_of(3), "which has 3"), (range_of(400), None)],
)
def test_a_run_json_that_no_longer_fits_its_commits_is_refused(run, cli, ranges, words):
    edit(run / "run.json", ranges=ranges)
    if words is None:  # an incomplete run also has more items than are done
        assert "Incomplete: 4 of 400 shards" in " ".join(cli("status", "run")[1].split())
    else:
        refused(cli, ["are not a shard of this run", words, "run.json"])


def test_a_number_of_items_that_is_beyond_all_reason_is_shown(run, cli):
    edit(run / "run.json", ranges=range_of(10**15))
    assert f"Incomplete: 4 of {10**15} shards" in " ".join(cli("status", "run")[1].split())


def test_commits_of_a_model_that_the_run_never_had_are_refused(run, cli):
    shutil.copytree(run / "_commits/other", run / "_commits/third")
    for path in (run / "_commits/third").rglob("*.json"):
        text = path.read_text().replace('"model": "other"', '"model": "third"')
        write(
            path, json.loads(text.replace("_commits/other", "_commits/third").replace("_parts/other", "_parts/third"))
        )
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
    "shard_size a text": (lambda p: edit(p, ranges=range_of(shard_size="2")), "shard_size"),
    "shard_size 0": (lambda p: edit(p, ranges=range_of(shard_size=0)), "shard_size"),
    "shard_size true": (lambda p: edit(p, ranges=range_of(shard_size=True)), "shard_size"),
    "ranges a list": (lambda p: edit(p, ranges=[4]), "ranges"),
    "ranges of texts": (lambda p: edit(p, ranges=range_of(stop="4")), "ranges.t.0.stop"),
    "ranges without the task": (lambda p: edit(p, ranges={}), "task 't' is not among"),
    "ranges with a gap": (lambda p: edit(p, ranges=range_of(start=1)), "task 't' do not follow each other from 0"),
    "no ranges": (lambda p: edit(p, ranges=...), "has no ranges"),
    "max_tokens a text": (lambda p: edit(p, max_tokens="512"), "max_tokens"),
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
def test_a_damaged_record_of_what_is_quarantined(run, cli, content):
    path = run / "_quarantine/m/t/0000000-0000002/0000001.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    refused(cli, [path.relative_to(run).as_posix(), "Remove"], [("status", "run"), ("report", "run")])


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
    assert read_tables(LocalStore(run))["items"].height == 4
    first = json.loads((run / CHAINS).read_text())
    assert [piece["strategy"] for piece in first["pieces"]] == ["cot", "cot_decomposition"]  # one commit for both


def test_items_that_are_not_alike_in_all_commits_are_refused(run, cli):
    """Both models' commits are of the same task; an item's later generation repeats it."""
    copy = FIRST + "/00004.json"
    text = (run / CHAINS).read_text()
    (run / copy).write_text(text.replace(json.loads(text)["attempt"], "new"))
    edit(run / copy, key=copy, generation=4, items=["t-000000"])
    content = json.loads((run / copy).read_text())
    content["pieces"][0]["statuses"] = {"ok": [1]}
    content["texts"][0]["hashes"] = content["texts"][0]["hashes"][:1]
    for part in content["parts"]:
        shutil.copy(run / part["key"].replace("new", json.loads(text)["attempt"]), run / part["key"])
        part["rows"] = 1
    write(run / copy, content)
    for table in ("items", "chains"):
        rewrite(run, table, lambda t: t.slice(0, 1), copy)
    assert read_tables(LocalStore(run))["items"].height == 2 * 4  # the item's newer rows alone count
    rewrite(run, "items", lambda t: column(t, "item_id", ["t-000001"]), copy)
    refused(cli, ["item_id is 't-000001'"], COMMANDS[1:])


def test_a_commit_of_an_old_run_in_a_present_one_is_refused(run, cli, finished, tmp_path_factory):
    other = tmp_path_factory.mktemp("old") / "run"
    shutil.copytree(finished / "run", other)
    make_old(other, 4)
    old = old_key(old_id("m", "t", "cot", 0, 2))
    shutil.copy(other / old, run / old)
    refused(cli, [old, "has no"])
