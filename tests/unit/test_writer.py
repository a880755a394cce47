"""Commits of racing attempts, and jobs on parts of a shard: what gets into the log, and what does not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pyarrow as pa
import pytest
from runs_here import without_ray

from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.fleet.writer import Draft, Effort, Writer, chain_hash
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog
from cotfaith.cluster.storage.read import load_run, read_ledger, read_log, read_quarantine, read_tables
from cotfaith.cluster.storage.store import LocalStore, open_store
from cotfaith.cluster.storage.verify import verify
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.records import Answer, Chain
from cotfaith.schemas.run_objects import PieceName
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.stub.engine import StubEngine

SHARD = Shard("m", "t", 0, 4)
COT, DIRECT = PieceName("cot"), PieceName("direct")
P, READ = PieceName("cot", probe="p"), PieceName("cot", probe="p", reader="r")


def chain(item, strategy="cot", text=" One.", index=0, finish="stop"):
    answer = Answer(Status.OK, "1")
    return Chain(item, index, text, (text,), answer, Status.OK, 2, finish, 1, strategy=strategy)


def table(rows, columns):
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(columns)})


def chains_draft(items, pieces=(COT,), finish="stop", text=" One."):
    made = [chain(item, piece.strategy, text, finish=finish) for piece in pieces for item in items]
    rows = [(one.strategy, "plain", one.item_id, "ok", one.finish_reason) for one in made]
    columns = ("strategy", "variant", "item_id", "status", "finish_reason")
    tables = {"items": pa.table({"item_id": list(items)}), "chains": table(rows, columns)}
    return Draft(list(items), list(pieces), tables, made, Effort(0.0, 1.0, (), {}), 10)


def probe_draft(items, pieces=(P,), status="ok", text=" One."):
    rows = [(piece.strategy, "plain", piece.probe, item, status) for piece in pieces for item in items]
    tables = {"observations": table(rows, ("strategy", "variant", "probe", "item_id", "status"))}
    tables["observations"] = tables["observations"].append_column("n_tokens", pa.nulls(len(rows), pa.int64()))
    return Draft(
        list(items), list(pieces), tables, [chain(item, text=text) for item in items], Effort(0.0, 1.0, ("p",), {}), 10
    )


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


@pytest.fixture
def writer(store):
    return Writer(store, SHARD)


def test_strategies_share_a_commit_and_its_parts(writer, store):
    made = writer.commit(chains_draft("ab", [COT, DIRECT]), ShardLog())
    assert [piece.name for piece in made.pieces] == [COT, DIRECT]
    assert [(part.table, part.rows) for part in made.parts] == [("items", 2), ("chains", 4)]
    assert [(one.strategy, one.hashes) for one in made.texts] == [
        (name, [[chain_hash(chain(item, name))] for item in "ab"]) for name in ("cot", "direct")
    ]
    assert [key for key in store.list("_parts/") if "." not in key] == []
    assert len(list(store.list("_parts/"))) == 2


@pytest.mark.parametrize(("finish", "cut"), [("stop", []), ("length", [0, 1]), ("forced", [0, 1])])
def test_a_commit_says_which_items_the_limit_cut(writer, finish, cut):
    made = writer.commit(chains_draft("ab", finish=finish), ShardLog())
    assert (made.pieces[0].cut, made.max_tokens) == (cut, 10)
    probed = writer.commit(probe_draft("ab", status="truncated"), read_log(writer.store, SHARD))
    assert (probed.pieces[0].cut, probed.pieces[0].statuses) == ([0, 1], {"truncated": [1, 1]})


def test_a_hash_is_of_all_that_probes_see():
    same = {chain_hash(one) for one in (chain("a"), chain("b"), chain("a", index=3), chain("a", finish="length"))}
    assert len(same) == 1
    other = [
        {"text": "x"},
        {"steps": (" One", ".")},
        {"answer": Answer(Status.OK, "2")},
        {"status": Status.TRUNCATED},
        {"n_tokens": 3},  # fillers are as long as the longest chain
    ]
    hashes = {chain_hash(replace(chain("a"), **change)) for change in other}
    assert len(hashes | same) == 1 + len(other)


def race(writer, *drafts):
    """Commit drafts that all saw the same log, one after the other."""
    seen = read_log(writer.store, SHARD)
    return [writer.commit(draft, seen) for draft in drafts]


def test_attempts_at_different_items_are_both_in(writer):
    first, second = race(writer, chains_draft("ab"), chains_draft("cd"))
    assert (first.generation, second.generation) == (0, 1)
    assert read_log(writer.store, SHARD).commits == (first, second)


def test_attempts_at_different_pieces_are_both_in(writer):
    race(writer, chains_draft("ab"))
    first, second, third = race(writer, probe_draft("ab"), probe_draft("ab", [READ]), chains_draft("ab", [DIRECT]))
    assert [one.generation for one in (first, second, third)] == [1, 2, 3]


@pytest.mark.parametrize(
    "drafts",
    [
        (chains_draft("ab"), chains_draft("ab")),
        (chains_draft("abc"), chains_draft("cd")),
        (chains_draft("ab", [COT, DIRECT]), chains_draft("b", [DIRECT])),
        (probe_draft("ab"), probe_draft("b")),
        (probe_draft("ab", [READ]), probe_draft("ab", [READ])),
        (chains_draft("a"), probe_draft("ab")),  # new chains under the probe's rows
        (chains_draft("a"), probe_draft("ab", [READ])),
    ],
)
def test_of_attempts_at_the_same_rows_the_second_is_told_that_it_lost(writer, store, drafts):
    race(writer, chains_draft("abcd"))
    first, second = race(writer, *drafts)
    assert (first.generation, second) == (1, None)
    log = read_log(store, SHARD)
    assert log.commits[1] == first
    assert len(log.commits) == 2
    known = {part.key for one in log.commits for part in one.parts}
    assert set(store.list("_parts/")) > known  # what the second wrote is there, and no commit names it


def test_of_two_attempts_without_rows_the_second_is_told_that_it_lost(writer):
    """A probe that applies to none of the items has no rows; its commit says that it is done."""
    race(writer, chains_draft("ab"))
    empty = probe_draft("ab")
    none = {name: table.slice(0, 0) for name, table in empty.tables.items()}
    empty = replace(empty, tables=none, chains=[])
    first, second = race(writer, empty, empty)
    assert (first.pieces[0].statuses, second) == ({}, None)


def test_chains_may_follow_rows_on_those_before_them(writer):
    """The rows count no longer then, because the chains' texts are others."""
    race(writer, chains_draft("ab"))
    rows, chains = race(writer, probe_draft("ab"), chains_draft("a", text=" Two."))
    assert (rows.generation, chains.generation) == (1, 2)
    assert list(read_log(writer.store, SHARD).live[P]) == ["b"]


def test_many_attempts_at_once_take_one_generation_each(store):
    """Of two attempts at each of eight items exactly one is in."""
    ready = Barrier(16)

    def attempt(item):
        ready.wait()
        return Writer(store, Shard("m", "t", 0, 8)).commit(chains_draft([item]), ShardLog())

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(attempt, [f"i{at % 8}" for at in range(16)]))
    won = [one for one in made if one is not None]
    assert sorted(one.generation for one in won) == list(range(8))
    assert sorted(one.items[0] for one in won) == [f"i{at}" for at in range(8)]


def test_something_else_in_the_next_commit_s_place_is_an_error(writer, tmp_path):
    (tmp_path / "_commits/m/t/0000000-0000004/00000.json").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"00000\.json"):
        writer.commit(chains_draft("ab"), ShardLog())


PROBES = ["no_cot", "early_answering", "transfer"]


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A function that begins a run: its plan, its store, and the jobs that are missing."""
    without_ray(monkeypatch)

    def begin(name="run", models=("m",), task="t", **changes):
        content = {
            "models": [{"id": model, "engine": "stub"} for model in models],
            "tasks": [{"name": task, "generator": "tracking_objects", "n": 4}],
            "sampling": {"chains_per_item": 2},
            "probes": PROBES,
            "resources": {"shard_size": 4},
            "output": {"path": str(tmp_path / name)},
        }
        spec = parse_spec(content | changes)
        plan, store = make_plan(spec), open_store(spec.output.path)
        open_run(store, plan.resolved, identity(plan.resolved, plan.weights, plan.templates), plan.items)
        return plan, store

    return begin


def do(plan, job):
    return run_job(job, {"subject": StubEngine(plan.model(job.model))})


def test_a_task_reads_its_shards_log_once(begun, monkeypatch):
    plan, store = begun()
    reads = []

    def counted(*arguments):
        reads.append(arguments)
        return read_log(*arguments)

    monkeypatch.setattr("cotfaith.cluster.fleet.shard_task.read_log", counted)
    (job,) = missing(plan, store)
    do(plan, job)
    assert len(list(read_ledger(store).commits())) > 1  # of chains, and of probes
    assert len(reads) == 1


def missing(plan, store):
    run = load_run(store)
    jobs, ledger = Jobs(plan, run), read_ledger(store, run)
    return jobs.of_subjects(ledger) or jobs.of_readers(ledger)


def tables(store):
    return {name: frame.drop("run_id") for name, frame in read_tables(store).items()}


def assert_same(store, other):
    mine, its = tables(store), tables(other)
    assert all(mine[name].equals(its[name]) and mine[name].height for name in its)
    assert completeness(store, load_run(store)).whole
    assert verify(store, load_run(store)).whole


def test_a_job_on_half_of_a_shard_does_its_items_and_the_rest_follows(begun):
    plan, store = begun()
    (job,) = missing(plan, store)
    half, other = job.halves()
    assert do(plan, half).items == 2
    ids = [item.id for item in plan.items["t"]]
    assert {item for commit in read_ledger(store).commits() for item in commit.items} == set(ids[:2])
    assert set(tables(store)["chains"]["item_id"]) == set(ids[:2])
    (left,) = missing(plan, store)
    assert left.items == other.items
    for _ in range(2):  # what is left, then its readings
        for one in missing(plan, store):
            do(plan, one)
    whole, _ = begun("whole")
    execute(whole.spec)
    assert_same(store, open_store(whole.spec.output.path))


def test_two_attempts_at_one_job_leave_each_row_once(begun):
    """The second begins when the first has committed the chains, and adds nothing to what is there."""
    plan, store = begun()
    (job,) = missing(plan, store)
    do(plan, job)
    before = [one.key for one in read_ledger(store).commits()]
    report = do(plan, job)
    assert report.statuses.total() == 0
    assert [one.key for one in read_ledger(store).commits()] == before


def test_a_job_whose_chains_were_taken_by_another_goes_on_with_theirs(begun, monkeypatch):
    """Another attempt commits the chains of two items while this one makes those of all four."""
    plan, store = begun()
    (job,) = missing(plan, store)
    half, _ = job.halves()
    commit, late = Writer.commit, []

    def interrupted(self, draft, seen):
        if not late:
            late.append(1)
            do(plan, half)
        return commit(self, draft, seen)

    monkeypatch.setattr(Writer, "commit", interrupted)
    do(plan, job)
    items = [(one.items, one.pieces[0].probe is None) for one in read_ledger(store).commits()]
    ids = [item.id for item in plan.items["t"]]
    assert items == [(ids[:2], True), (ids[:2], False), (ids[2:], True), (ids[2:], False)]
    execute(plan.spec)  # the readings
    whole, _ = begun("whole")
    execute(whole.spec)
    assert_same(store, open_store(whole.spec.output.path))


def test_a_larger_limit_keeps_the_chains_that_were_not_cut(begun, monkeypatch):
    """Also those of items with another chain that was cut: the engine is not asked for them again."""
    plan, store = begun(sampling={"chains_per_item": 3, "max_tokens": 60})
    execute(plan.spec)
    was = {(row["item_id"], row["chain_index"]): row for row in tables(store)["chains"].iter_rows(named=True)}
    cut = {key for key, row in was.items() if row["finish_reason"] == "length"}
    assert {item for item, _ in cut} & {item for item, _ in was.keys() - cut}
    written = StubEngine._chain
    monkeypatch.setattr(StubEngine, "_chain", lambda self, *a: " Anew." + written(self, *a))
    longer, _ = begun(sampling={"chains_per_item": 3, "max_tokens": 400})
    execute(longer.spec)
    now = {(row["item_id"], row["chain_index"]): row for row in tables(store)["chains"].iter_rows(named=True)}
    assert {key for key, row in now.items() if row["text"].startswith(" Anew.")} == cut
    assert {key: now[key] for key in was.keys() - cut} == {key: was[key] for key in was.keys() - cut}
    assert completeness(store, load_run(store)).whole
    limits = [one.max_tokens for one in read_ledger(store).commits()]
    assert set(limits) == {60, 400}


def test_names_of_a_hundred_characters_fit_into_keys(begun):
    models, task = ("m" * 100, "n" * 100), "t" * 100
    plan, store = begun(models=models, task=task)
    execute(plan.spec)
    (job, *_) = Jobs(plan, load_run(store)).of_subjects(Ledger())
    for one in (job, replace(job, reader=models[1])):
        record = one.quarantine(0, "lost", 3, "chains")
        store.put(record.key, record.as_json())
    found = list(store.list())
    assert len(found) > 2 * 4 * 2
    assert max(len(part.encode()) for key in found for part in key.split("/")) <= 255
    assert [one.reader for one in read_quarantine(store)] == [None, models[1]]
    assert completeness(store, load_run(store)).done == 2
