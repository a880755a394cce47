"""Every subject answers after every chain, and a new model adds only its own part."""

from pathlib import Path

import pytest
from commands import in_process, write_spec

from cotfaith.cluster.storage.read import read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys

pytestmark = pytest.mark.usefixtures("shared_ray")
ITEMS, CHAINS = 5, 2


def spec(path, models, **changes):
    stub = {"a": {}, "b": {"relies_on": "question"}, "c.json": {"max_steps": 2}}
    return {
        "models": [{"id": name, "engine": "stub", "options": stub[name]} for name in models],
        "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": ITEMS}],
        "sampling": {"chains_per_item": CHAINS},
        "probes": ["transfer"],
        "resources": {"shard_size": 2},
        "output": {"path": str(path)},
    } | changes


def run(folder, content):
    done = in_process("run", write_spec(folder, content))
    assert done.returncode == 0, done.stderr
    return done.stdout


def markers(path):
    """Each piece's attempt, by shard."""
    found = read_ledger(LocalStore(Path(path))).commits()
    return {(one.shard_id, piece.probe, piece.reader): one.attempt for one in found for piece in one.pieces}


def rows(path):
    return read_tables(LocalStore(Path(path)))["observations"].drop("run_id")


@pytest.fixture(scope="module")
def two(shared_ray, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    run(folder, spec(folder / "run", ["a", "b"]))
    return folder / "run"


def test_every_chain_is_read_by_every_subject(two):
    found = rows(two)
    assert set(found["status"]) == {"ok"}
    for author in "ab":
        for reader in "ab":
            read = found.filter(model=author, reader=reader)
            assert read.height == ITEMS * CHAINS
            assert set(read["arm"]) == {f"reader={reader}"}
            assert read.select("item_id", "chain_index").is_duplicated().sum() == 0


def test_answers_are_the_readers(two):
    found = rows(two)
    # A stub's answer after a prompt is a function of the prompt; "b" does not look at the chain.
    assert found.filter(model="a", reader="a")["same_answer"].all()
    assert found.filter(model="b", reader="b")["same_answer"].all()
    by_item = found.filter(reader="b").group_by("item_id").n_unique()
    assert set(by_item["answer"]) == {1}
    assert not found.filter(model="a", reader="b")["same_answer"].all()


def test_a_third_model_adds_what_is_missing_alone(two, tmp_path):
    path = tmp_path / "run"
    run(tmp_path, spec(path, ["a", "b"]))
    before = markers(path)
    said = run(tmp_path, spec(path, ["a", "b", "c.json"]))
    assert "6 of 9 shards are done, 3 to do." in said
    assert "12 of 27 readings of their chains are done, 15 to do." in said
    after = markers(path)
    assert {key: after[key] for key in before} == before
    new = after.keys() - before.keys()
    assert {(shard.split("/")[0], probe, reader) for shard, probe, reader in new} == {
        ("c.json", None, None),
        *((author, "transfer", "c.json") for author in "ab"),
        *(("c.json", "transfer", reader) for reader in ("a", "b", "c.json")),
    }
    old = rows(path).filter(rows(path)["model"].is_in(["a", "b"]) & rows(path)["reader"].is_in(["a", "b"]))
    assert old.equals(rows(two))


def test_readers_can_be_named_and_more_can_be_added(tmp_path):
    probe = {"name": "transfer", "options": {"readers": ["b"]}}
    run(tmp_path, spec(tmp_path / "run", ["a", "b"], probes=[probe]))
    assert set(rows(tmp_path / "run")["reader"]) == {"b"}
    said = run(tmp_path, spec(tmp_path / "run", ["a", "b"]))
    assert "6 of 12 readings of their chains are done, 6 to do." in said
    assert set(rows(tmp_path / "run")["reader"]) == {"a", "b"}


def test_commit_keys_are_unambiguous():
    names = ["x", "x.json", "x.transfer", "transfer", "x.transfer.json"]
    shards = [keys.shard_id(model, task, 0, 2) for model in names for task in names]
    made = [keys.commit(shard, generation) for shard in shards for generation in (0, 1)]
    made += [keys.quarantine(shard, index, reader) for shard in shards for index in (0, 1) for reader in (None, *names)]
    assert len(set(made)) == len(made) == 25 * (2 + 2 * 6)
    assert not [(one, other) for one in made for other in made if one.startswith(other + "/")]  # no file is a folder
