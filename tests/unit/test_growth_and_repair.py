"""A run grows in items, chains get longer, damaged parts are done again: each time only what must be.

Runs of a stub in this process, without Ray. Every test compares with a run that was made in one go.
"""

from collections import deque
from contextlib import nullcontext
from pathlib import Path

import polars as pl
import pytest
from recorder import Recorder
from runs_here import without_ray
from whole_runs import assert_same, commits, damage, tables

from cotfaith.cluster.fleet import shard_task
from cotfaith.cluster.fleet.attempts import Attempts, Pending
from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.run import Again, execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_quarantine, read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.cluster.storage.verify import delete_orphans, verify
from cotfaith.schemas.errors import EngineLostError, RunConflictError, RunFolderError, StoreError
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.tables import TABLES
from cotfaith.workers.engines.stub.engine import StubEngine

PROBES = ["no_cot", "early_answering", "answer_order"]


@pytest.fixture
def crashing(monkeypatch):
    """Make work on an item end its engine: "chains" sampling, "probes" the probes. Failed jobs are tried again."""
    items = {"chains": set(), "probes": set()}

    def guarded(stage, call):
        def work(wanted, engines):
            for one, *_ in wanted:
                if items[stage] & {item.id for item in one.items} - set(one.quarantined):
                    raise EngineLostError("The engine's process ended")
            return call(wanted, engines)

        return work

    def jobs_done(plan, jobs, progress, *_):
        counting = Attempts(2, open_store(plan.spec.output), plan.items, progress.say)
        queue = deque(Pending(job, {}) for job in jobs)
        while queue:
            one = queue.popleft()
            try:
                run_job(one.job, {"subject": StubEngine(plan.model(one.job.model))})
                counting.done(one)
            except EngineLostError as error:
                counting.after(queue, one, error, charged=True)
        return RunOutcome(quarantined=counting.quarantined)

    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", jobs_done)
    monkeypatch.setattr(shard_task, "sample_chains", guarded("chains", shard_task.sample_chains))
    monkeypatch.setattr(shard_task, "run_probes", guarded("probes", shard_task.run_probes))
    return items


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Do a run in a folder; return its store and what was said."""
    without_ray(monkeypatch)

    def do(name, again=None, **changes):
        content = {
            "models": [{"id": "m", "engine": "stub"}],
            "tasks": [{"name": "t", "generator": "tracking_objects", "n": 4}],
            "sampling": {"chains_per_item": 2},
            "probes": PROBES,
            "strategies": ["cot", "cot_decomposition"],
            "resources": {"shard_size": 3},
            "output": {"path": str(tmp_path / name)},
        }
        said = Recorder()
        execute(parse_spec(content | changes), said, again)
        return open_store(str(tmp_path / name)), said

    return do


def items(n):
    return [{"name": "t", "generator": "tracking_objects", "n": n}]


def test_strategies_and_probes_share_parts_and_commits(run):
    store, _ = run("run")
    found = commits(store).values()
    assert [(c.start, c.stop, c.generation, len(c.pieces)) for c in found] == [
        (0, 3, 0, 2),
        (0, 3, 1, 6),
        (3, 4, 0, 2),
        (3, 4, 1, 6),
    ]
    assert len(list(store.list("_parts/"))) == 6
    assert not [key for key in store.list() if key.endswith(".parquet")]  # no glob finds a part


@pytest.mark.parametrize("size", [3, 1, 50])
def test_a_run_grows_in_items_and_does_only_the_new_ones(run, size):
    store, _ = run("run")
    before = commits(store)
    run("run", tasks=items(7), resources={"shard_size": size})
    after = commits(store)
    assert {key: after[key].attempt for key in before} == {key: commit.attempt for key, commit in before.items()}
    assert all(commit.start >= 4 for key, commit in after.items() if key not in before)
    assert [(r.start, r.stop, r.shard_size) for r in load_run(store).ranges["t"]] == [(0, 4, 3), (4, 7, size)]
    whole, _ = run("whole", tasks=items(7))
    assert_same(store, whole)


def test_a_run_does_not_shrink_and_its_items_do_not_change(run):
    store, _ = run("run")
    before = store.get("run.json")
    with pytest.raises(RunConflictError, match="the run has 4 items of it, the spec 3; a run can only grow"):
        run("run", tasks=items(3))
    other = [{"name": "t", "generator": "tracking_objects", "n": 6, "options": {"objects": [5]}}]
    words = r"the run has 4 items of task 't'; item 1 \('t-000000'\) reads differently now: the question was '.*, now '"
    with pytest.raises(RunConflictError, match=words):
        run("run", tasks=other)
    assert store.get("run.json") == before


@pytest.mark.parametrize("forced", [False, True])
def test_a_larger_limit_renews_the_chains_that_were_cut_and_what_rests_on_them(run, forced):
    short, long = ({"chains_per_item": 2, "max_tokens": limit, "budget_forcing": forced} for limit in (60, 400))
    store, _ = run("run", sampling=short)
    was = read_tables(store)["chains"]
    cut = was.filter(pl.col("finish_reason").is_in(["length", "forced"]))
    assert 0 < cut.height < was.height
    before = commits(store)
    run("run", sampling=long)
    whole, _ = run("whole", sampling=long)
    assert_same(store, whole)
    assert {key: commits(store)[key].attempt for key in before} == {key: one.attempt for key, one in before.items()}
    renewed = {
        (piece.strategy, item)
        for key, commit in commits(store).items()
        if key not in before and commit.pieces[0].probe is None
        for piece in commit.pieces
        for item in commit.items
    }
    assert renewed == set(cut.select("strategy", "item_id").iter_rows())
    assert {commit.max_tokens for commit in before.values()} == {60}
    with pytest.raises(RunConflictError, match="max_tokens: the run has 400, the spec 60; it can only be raised"):
        run("run", sampling=short)


def test_a_new_probe_and_a_new_strategy_add_commits_and_change_none(run):
    store, _ = run("run", probes=["no_cot"], strategies=["cot"])
    before = commits(store)
    run("run", probes=PROBES, strategies=["cot"])
    run("run")
    assert {key: commits(store)[key].attempt for key in before} == {key: one.attempt for key, one in before.items()}
    whole, _ = run("whole")
    assert_same(store, whole)


@pytest.mark.parametrize("how", ["missing", "cut", "changed"])
@pytest.mark.parametrize("table", ["items", "chains", "observations"])
def test_a_damaged_part_is_done_again_and_nothing_else(run, table, how):
    store, _ = run("run")
    whole, _ = run("whole")
    before = commits(store)
    (part, owner) = next((p.key, c) for c in before.values() for p in c.parts if p.table == table)
    damage(store, part, how)
    found = verify(store, load_run(store))
    assert found.lost == {part}
    assert not found.whole
    with pytest.raises(RunFolderError, match="cotfaith run SPEC --repair"):
        read_tables(store)
    _, said = run("run", Again(damaged=True))
    assert [text for text in said.warned if part in text]
    new = [commit for key, commit in commits(store).items() if key not in before]
    assert [(c.shard_id, c.items, [p.name for p in c.pieces]) for c in new] == [
        (owner.shard_id, owner.items, [p.name for p in owner.pieces])
    ]  # the chains came out equal, so what rests on them stays
    assert any("Done again" in text for text in said.said)
    assert_same(store, whole)
    again = verify(store, load_run(store))
    assert (again.lost, [one.part for one in again.damaged]) == (frozenset(), [part])  # replaced: nothing reads it


def test_a_chain_whose_text_changed_renews_what_rests_on_it(run, monkeypatch):
    store, _ = run("run")
    before = commits(store)
    damage(store, next(p.key for c in before.values() for p in c.parts if p.table == "chains"), "cut")
    from cotfaith.workers.engines.stub.engine import StubEngine

    written = StubEngine._chain
    monkeypatch.setattr(StubEngine, "_chain", lambda self, *a: written(self, *a).replace(" gives ", " yields "))
    _, said = run("run", Again(damaged=True))
    new = [commit for key, commit in commits(store).items() if key not in before]
    assert [(c.start, c.generation, sorted({str(p.probe) for p in c.pieces})) for c in new] == [
        (0, 2, ["None"]),
        (0, 3, ["answer_order", "early_answering", "no_cot"]),
    ]
    assert any("12 with another text than before" in text for text in said.said)
    assert completeness(store, load_run(store)).whole
    texts = read_tables(store)["chains"]["text"]
    assert (texts.str.contains(" yields ").sum(), texts.str.contains(" gives ").sum()) == (12, 4)


def test_a_repair_of_a_sound_run_does_nothing(run):
    store, _ = run("run")
    before = commits(store)
    _, said = run("run", Again(damaged=True))
    assert "Nothing is damaged: all 6 parts are as they were committed." in said.said
    assert "Nothing was done again." in said.said
    assert commits(store) == before


def test_a_damaged_commit_is_moved_away_and_its_work_done_again(run):
    store, _ = run("run")
    whole, _ = run("whole")
    key = list(commits(store))[1]
    damage(store, key, "cut")
    found = verify(store, load_run(store))
    assert [k for k, _ in found.commits] == [key]
    with pytest.raises(RunFolderError, match="First repair the run"):
        delete_orphans(store, found)
    run("run", Again(damaged=True))
    assert_same(store, whole)
    assert store.get("_aside/" + key) is not None


def test_orphans_are_found_and_deleted_and_nothing_else_is(run):
    store, _ = run("run")
    run("whole")
    key = next(iter(store.list("_parts/"))).rpartition("/")[0] + "/0123456789ab.chains"
    store.put(key, b"left by an attempt")
    before = set(store.list())
    found = verify(store, load_run(store))
    assert found.orphans == (key,)
    assert found.whole
    assert delete_orphans(store, found) == 1
    assert before - set(store.list()) == {key}
    assert_same(store, open_store(str(Path(store.place("")).parent / "whole")))


@pytest.mark.parametrize("table", ["items", "chains", "observations"])
def test_what_a_repair_made_can_be_repaired_too(run, table):
    """The rows before it are damaged as well: they do not take the place of those that are damaged now."""
    store, _ = run("run")
    whole, _ = run("whole")
    for _ in range(3):
        own = [c for c in commits(store).values() if c.start == 0 and table in [part.table for part in c.parts]]
        damage(store, own[-1].part(table).key, "cut")
        run("run", Again(damaged=True))
        assert_same(store, whole)


def test_longer_chains_can_be_repaired_if_the_cut_ones_before_them_are_there(run):
    short, long = ({"chains_per_item": 2, "max_tokens": limit} for limit in (60, 400))
    store, _ = run("run", sampling=short)
    run("run", sampling=long)
    whole, _ = run("whole", sampling=long)
    key = next(c.part("chains").key for c in commits(store).values() if c.max_tokens == 400 and not c.pieces[0].probe)
    damage(store, key, "missing")
    run("run", Again(damaged=True), sampling=long)
    assert_same(store, whole)


def test_a_repair_says_what_its_spec_leaves_damaged(run):
    store, _ = run("run")
    whole, _ = run("whole")
    parts = {table: [p.key for c in commits(store).values() for p in c.parts if p.table == table] for table in TABLES}
    for key in (parts["chains"][0], parts["observations"][1]):
        damage(store, key, "cut")
    _, said = run("run", Again(damaged=True), strategies=["cot"], probes=["no_cot"])
    left = [text for text in said.warned if text.startswith("Still damaged")]
    assert ["chains of cot_decomposition (m / t)" in left[0], "answer_order of cot_decomposition" in left[1]] == [
        True
    ] * 2
    assert (parts["chains"][0] in left[0], parts["observations"][1] in left[1], len(left)) == (True, True, 2)
    _, said = run("run", Again(damaged=True))
    assert not [text for text in said.warned if text.startswith("Still damaged")]
    assert_same(store, whole)


@pytest.mark.parametrize("again", [None, Again(damaged=True)])
def test_commits_without_a_run_json_are_not_taken_over_by_another_run(run, again):
    """Its seed would be checked against nothing, and all of its work would seem to be done."""
    store, _ = run("run")
    record = store.get("run.json")
    store.delete("run.json")
    with pytest.raises(StoreError, match=r"run\.json is missing, and there are commits of a run"):
        run("run", again, seed=5)
    assert store.get("run.json") is None
    store.put("run.json", record)
    run("run")
    assert completeness(store, load_run(store)).whole


LONG = {"chains_per_item": 2, "max_tokens": 512}


def statuses(store, item, table):
    found = tables(store)[table].filter(pl.col("item_id") == item)
    return set(found["status"])


def test_an_item_that_fails_in_its_probes_keeps_its_chains(run, crashing):
    whole, _ = run("whole")
    short, _ = run("short", sampling={"chains_per_item": 2, "max_tokens": 8})  # cuts every chain
    long, _ = run("long", sampling=LONG)
    crashing["probes"] = {"t-000001"}
    store, _ = run("run")
    (record,) = read_quarantine(store)
    assert (record.item, record.stage) == ("t-000001", "probes")
    assert statuses(store, "t-000001", "observations") == {"quarantined"}
    chains = tables(whole)["chains"]
    assert tables(store)["chains"].equals(chains)

    for key in [key for key in store.list("_parts/") if key.endswith(".chains")]:
        store.delete(key)
    run("run", Again(damaged=True))
    assert tables(store)["chains"].equals(chains)
    assert statuses(store, "t-000001", "observations") == {"quarantined"}

    crashing["probes"] = set()
    cut, _ = run("cut", sampling={"chains_per_item": 2, "max_tokens": 8})
    assert_same(cut, short)
    crashing["probes"] = {"t-000001"}
    run("cut", sampling=LONG)  # the chains of the item are renewed with the others, and its probes are given up
    assert tables(cut)["chains"].equals(tables(long)["chains"])
    run("cut", Again(quarantined=True), sampling=LONG)
    assert len(read_quarantine(cut)) == 1
    crashing["probes"] = set()
    run("cut", Again(quarantined=True), sampling=LONG)
    assert_same(cut, long)
    assert read_quarantine(cut) == []


def test_an_item_that_fails_in_its_probes_and_then_in_its_chains_is_given_up_whole(run, crashing):
    crashing["probes"] = {"t-000001"}
    store, _ = run("run")
    for key in [key for key in store.list("_parts/") if key.endswith(".chains")]:
        store.delete(key)
    crashing["chains"] = {"t-000001"}
    run("run", Again(damaged=True))
    (record,) = read_quarantine(store)
    assert record.stage == "chains"
    assert statuses(store, "t-000001", "chains") == statuses(store, "t-000001", "observations") == {"quarantined"}
    assert completeness(store, load_run(store)).whole
    _, said = run("run")
    assert "2 of 2 shards are done, 0 to do." in said.said
