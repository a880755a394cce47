"""Runs that old versions wrote: read, aggregated, reported and validated as they were, and never added to."""

import dataclasses
import shutil

import polars as pl
import pytest
from old_runs import SINCE, make_old, old_id, old_key
from run_damage import COMMANDS, edit, refused
from runs_here import copy_of, finish

from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.storage.verify import verify
from cotfaith.cluster.validation.validation import validate

OPTIONS = {"relies_on": "question"}
SPEC = {
    "models": [{"id": "m", "engine": "stub"}, {"id": "other", "engine": "stub", "options": OPTIONS}],
    "tasks": [{"name": "t", "generator": "modular_chain", "n": 4, "options": {"choices": 2}}],
    "probes": ["no_cot", "early_answering", "transfer"],
    "resources": {"shard_size": 2, "probes_apart": True},
    "output": {"path": "run"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run in the present layout, made once."""
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    """A copy of it; the working directory is beside it."""
    return copy_of(finished, tmp_path, monkeypatch)


@pytest.fixture(params=[2, 3, 4])
def old(request, run):
    """The run as an old version wrote it, and the tables that it had."""
    before = read_tables(LocalStore(run))
    make_old(run, request.param)
    return run, request.param, before


def test_a_run_that_an_old_version_wrote_is_read(old, cli):
    run, version, before = old
    found = read_tables(LocalStore(run))
    for name, frame in found.items():
        same = [column for column in frame.columns if column not in ("schema_version", *SINCE[version][name])]
        assert frame.select(same).equals(before[name].select(same)), name
        assert set(frame["schema_version"]) == {version}
    if version == 2:
        assert found["chains"].schema["gap"] == pl.Float64
        assert found["chains"]["gap"].null_count() == found["chains"].height
    had = (run / "run.json").read_bytes()
    assert len(list(read_ledger(LocalStore(run)).commits())) == 2 * 2 * (1 + 2 + 2)
    for command in (*COMMANDS, ("run", "spec.yaml")):
        code, out, err = cli(*command)
        assert (code, "Incomplete" in out) == (0, False), (command, err)
    assert "4 of 4 shards are done, 0 to do" in out
    assert (run / "run.json").read_bytes() == had


def test_estimates_and_validation_are_those_of_the_same_rows_in_the_present_layout(finished, run, cli):
    present = LocalStore(finished / "run")
    expected = dataclasses.asdict(validate(present, load_run(present)))
    assert cli("aggregate", str(finished / "run"))[0] == 0
    estimates = pl.read_parquet(finished / "run/estimates.parquet")
    make_old(run, 4)
    found = dataclasses.asdict(validate(LocalStore(run), load_run(LocalStore(run))))
    timed = [
        (new.pop("seconds_per_chain"), old.pop("seconds_per_chain"))
        for new, old in zip(expected["costs"], found["costs"], strict=True)
    ]
    assert [new is None for new, _ in timed] == [old is None for _, old in timed]
    assert any(new is not None for new, _ in timed)
    assert repr(found) == repr(expected)  # NaNs are equal
    assert cli("aggregate", "run")[0] == 0
    assert pl.read_parquet("run/estimates.parquet").equals(estimates)


def test_an_old_run_is_verified_and_not_repaired(of_version_4, cli):
    store = LocalStore(of_version_4)
    assert verify(store, load_run(store)).whole
    part = next((of_version_4 / "chains/model=m/task=t").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    assert len(verify(store, load_run(store)).lost) == 1
    before = {path: path.read_bytes() for path in of_version_4.rglob("*") if path.is_file()}
    code, _, err = cli("run", "spec.yaml", "--repair")
    assert (code, "of an older cotfaith and cannot be repaired" in " ".join(err.split())) == (2, True)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_an_old_version_wrote_gets_no_more_rows(old, cli):
    """Newer versions make prompts and answers differently: rows of both in one table are not comparable."""
    run, _, _ = old
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for change in (
        "probes=[no_cot,early_answering,filler_tokens]",
        "tasks.t.n=5",
        "strategies=[cot,cot_decomposition]",
    ):
        code, _, err = cli("run", "spec.yaml", "--set", change)
        assert code == 2, change
        assert "rows of the two are not comparable" in " ".join(err.split())
    for change in ("seed=1", "sampling.max_tokens=1000"):
        code, _, err = cli("run", "spec.yaml", "--set", change)
        assert (code, "this spec contradicts" in err) == (2, True), change
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_an_old_run_that_lacks_a_commit_is_incomplete_and_gets_no_more_rows(old, cli):
    run, _, before = old
    (run / old_key(OLD, "no_cot")).unlink()
    assert "Incomplete: 3 of 4 shards are done." in " ".join(cli("status", "run")[1].split())
    assert read_tables(LocalStore(run))["observations"].height == before["observations"].height - 2
    assert cli("run", "spec.yaml")[0] == 2
    (run / old_key(OLD)).unlink()
    assert read_tables(LocalStore(run))["chains"].height == before["chains"].height - 2


OLD = old_id("m", "t", "cot", 0, 2)
OLD_DAMAGE = {
    "empty": lambda p: p.write_bytes(b""),
    "another object": lambda p: p.write_text('{"a": 1}'),
    "no parts": lambda p: edit(p, parts=[]),
    "another range": lambda p: edit(p, start=1),
    "an empty range": lambda p: edit(p, shard=old_id("m", "t", "cot", 2, 2), start=2, stop=2),
    "another model": lambda p: edit(p, model="other"),
    "another strategy": lambda p: edit(p, strategy="x"),
    "another key": lambda p: edit(p, key="_commits/x.json"),
    "another attempt": lambda p: edit(p, attempt="x"),
    "a wrong count": lambda p: edit(p, statuses={"ok": 1}),
}


@pytest.fixture
def of_version_4(run):
    make_old(run, 4)
    return run


@pytest.mark.parametrize("damage", OLD_DAMAGE.values(), ids=OLD_DAMAGE)
def test_a_damaged_commit_of_an_old_run(of_version_4, cli, damage):
    damage(of_version_4 / old_key(OLD))
    refused(cli, [old_key(OLD)], [*COMMANDS, ("run", "spec.yaml")])


OLD_COPIES = {
    "beside it": f"_commits/{OLD} copy.json",
    "numbered": f"_commits/{OLD} (1).json",
    "a reader's": f"_commits/{OLD}.transfer/m copy.json",
    "in a folder": f"_commits/backup/{OLD}.json",
    "as another shard": f"_commits/{OLD.replace('0-0000002', '2-0000004')}.json",
    "as a probe's": old_key(OLD, "filler_tokens"),
    "in the present layout": "_commits/m/t/0000000-0000002/00000.json",
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("to", OLD_COPIES.values(), ids=OLD_COPIES)
def test_a_copied_commit_of_an_old_run_is_refused(of_version_4, cli, to, named):
    """The oldest commits do not contain their key; it follows from the shard, the probe and the reader."""
    run = of_version_4
    if not named:
        for path in (run / "_commits").rglob("*.json"):
            edit(path, key=...)
    assert read_tables(LocalStore(run))["chains"].height == 8
    source = old_key(OLD, "transfer", "m") if "transfer" in to else old_key(OLD)
    (run / to).parent.mkdir(exist_ok=True, parents=True)
    shutil.copy(run / source, run / to)
    refused(cli, [to, f"belongs at {source}", "rows twice"])


PART_DAMAGE = {
    "gone": (lambda p: p.unlink(), "committed but missing"),
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:-50]), "sha256 differs"),
    "another's": (
        lambda p: p.write_bytes(next(p.parent.glob("*-0000004-*.parquet")).read_bytes()),
        "sha256 differs",
    ),
}


@pytest.mark.parametrize(("damage", "words"), PART_DAMAGE.values(), ids=PART_DAMAGE)
def test_a_damaged_part_of_an_old_run(of_version_4, cli, damage, words):
    path = next((of_version_4 / "chains/model=m/task=t").glob("*0000000-0000002*.parquet"))
    damage(path)
    refused(cli, [path.relative_to(of_version_4).as_posix(), words, "older cotfaith", "Restore it"], COMMANDS[1:])
