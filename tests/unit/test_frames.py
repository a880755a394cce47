"""``cotfaith.read``: lazy frames of a run have the rows that count, and read as few parts as a query needs."""

import io
from itertools import product

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from runs_here import copy_of, finish, without_ray

import cotfaith
from cotfaith.cluster.storage import frames
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import RunFolderError, SpecError
from cotfaith.schemas.tables import SCHEMA_VERSION, TABLES, table_of

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 4}} for name in ("a", "b")],
    "tasks": [{"name": name, "generator": "tracking_objects", "n": 4} for name in ("easy", "hard")],
    "sampling": {"chains_per_item": 2},
    "probes": ["no_cot", "early_answering"],
    "strategies": ["cot", "cot_decomposition"],
    "interventions": ["hint_metadata"],
    "resources": {"shard_size": 3},
    "output": {"path": "run"},
}
SMALL = SPEC | {
    "models": SPEC["models"][:1],
    "tasks": [{"name": "easy", "generator": "tracking_objects", "n": 2}],
    "probes": ["no_cot"],
    "strategies": ["cot"],
    "interventions": [],
}
ROWS = ("items", "chains", "observations")
C = pl.col


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    return copy_of(finished, tmp_path, monkeypatch)


@pytest.fixture
def parts_read(monkeypatch):
    """The parts that were read: lists of (table, model, task, probes)."""
    seen = []

    def spied(store, live, *rest):
        seen.extend((one.part.table, one.commit.model, one.commit.task, len(one.commit.pieces)) for one in live)
        return real(store, live, *rest)

    real = frames.read_live
    monkeypatch.setattr(frames, "read_live", spied)
    return seen


def alike(found, wanted):
    """Compare the rows of two frames, in any order."""
    keys = [name for name in wanted.columns if not isinstance(wanted.schema[name], pl.List)]
    assert len(found) == len(wanted) > 0
    assert_frame_equal(found.sort(keys), wanted.sort(keys))


@pytest.mark.parametrize("name", ROWS)
def test_a_frame_has_the_rows_that_commands_read(run, name):
    frame = getattr(cotfaith.read(run), name)
    wanted = read_tables(open_store(str(run)))[name]
    assert frame.collect_schema().names() == TABLES[name].names
    assert frame.collect_schema() == wanted.schema
    alike(frame.collect(), wanted)


@pytest.mark.parametrize(
    "condition",
    [
        C("model") == "a",
        (C("model") == "b") & (C("probe") == "no_cot") & C("correct"),
        C("probe").is_in(["early_answering"]) & (C("item_id") == "easy-000001"),
        (C("model") == "a") | (C("position") > 2),
        (C("model") == "a") & (C("position") == C("position").max()),
        ~(C("task") == "easy") & C("chain_index").is_null(),
        C("variant").str.ends_with("wrong") & (C("strategy") != "cot"),
        pl.concat_str("model", "item_id") == "aeasy-000002",
        C("arm").is_first_distinct(),
        pl.lit(True),
    ],
    ids=str,
)
def test_a_condition_gives_the_same_rows_as_on_the_whole_table(run, condition):
    frame = cotfaith.read(run).observations
    whole = frame.collect().filter(condition)
    assert_frame_equal(frame.filter(condition).collect(), whole)
    chosen = ["score", "answer", "arm"]
    assert_frame_equal(frame.filter(condition).select(chosen).collect(), whole.select(chosen))
    assert_frame_equal(frame.filter(condition).collect(engine="streaming"), whole)


def test_a_condition_on_what_commits_say_chooses_the_parts(run, parts_read):
    tables = cotfaith.read(run)
    tables.observations.collect()
    everything = len(parts_read)
    for condition, wanted in [
        (C("model") == "a", {("a", "easy"), ("a", "hard")}),
        ((C("model") == "b") & (C("task") == "hard") & (C("correct") | C("answer").is_null()), {("b", "hard")}),
        (C("probe") == "nobody", set()),
        (C("item_id") == "easy-000001", {("a", "easy"), ("b", "easy")}),
        (C("variant") == "hint_metadata.wrong", set(product("ab", ("easy", "hard")))),
        (C("run_id") == "another", set()),
    ]:
        parts_read.clear()
        tables.observations.filter(condition).select("answer").collect()
        assert {(model, task) for _, model, task, _ in parts_read} == wanted
        assert len(parts_read) < everything or wanted == set(product("ab", ("easy", "hard")))
        assert {table for table, *_ in parts_read} <= {"observations"}


def test_a_query_reads_its_columns_only(run, monkeypatch):
    asked = []
    real = frames.read_live

    def spied(store, live, run_id, columns):
        asked.append(set(columns["chains"]))
        return real(store, live, run_id, columns)

    monkeypatch.setattr(frames, "read_live", spied)
    cotfaith.read(run).chains.filter(C("n_steps") > 1).select("answer").collect()
    assert asked == [{"answer", "n_steps", *frames._CHECKED}]


def test_a_few_rows_are_a_few_rows(run):
    tables = cotfaith.read(run)
    assert len(tables.chains.head(3).collect()) == 3
    assert len(tables.chains.filter(C("model") == "b").head(5).collect()) == 5
    assert tables.chains.select(pl.len()).collect().item() == len(tables.chains.collect())


def test_rows_that_were_replaced_stay_unseen(tmp_path):
    run = finish_in(tmp_path, SMALL | {"sampling": {"chains_per_item": 2, "max_tokens": 20}})
    assert "length" in cotfaith.read(run).chains.collect()["finish_reason"].to_list()
    finish_in(tmp_path, SMALL | {"strategies": ["cot", "cot_decomposition"]})
    tables = cotfaith.read(run)
    for name in ROWS:
        alike(getattr(tables, name).collect(), read_tables(open_store(str(run)))[name])
    assert tables.chains.filter(C("finish_reason") == "length").collect().is_empty()
    parts = list(open_store(str(run)).list("_parts/"))
    assert len([key for key in parts if key.endswith(".items")]) > 1  # each item is in several, and comes once
    assert len(tables.items.collect()) == 2


def finish_in(folder, spec):
    folder.mkdir(exist_ok=True)
    return finish(folder, spec) / "run"


def test_frames_of_an_old_run(old_run):
    tables = cotfaith.read(old_run)
    for name in ROWS:
        wanted = read_tables(open_store(str(old_run)))[name]
        alike(getattr(tables, name).collect(), wanted)
        some = wanted.filter(C("model") == "m").select("item_id")
        assert_frame_equal(getattr(tables, name).filter(C("model") == "m").select("item_id").collect(), some)


@pytest.fixture(params=[2, 3])
def old_run(tmp_path, monkeypatch, request):
    from old_runs import make_old

    spec = SPEC | {"models": [{"id": "m", "engine": "stub"}], "strategies": ["cot"], "interventions": []}
    finish(tmp_path, spec)
    without_ray(monkeypatch)
    make_old(tmp_path / "run", request.param)
    return tmp_path / "run"


def test_a_damaged_part_is_refused_when_it_is_read(run):
    store = open_store(str(run))
    (key, *_) = (key for key in store.list("_parts/a/easy/") if key.endswith("chains"))
    store.put(key, b"x" + store.get(key)[1:])
    tables = cotfaith.read(run)
    with pytest.raises(RunFolderError, match="is not what was committed"):
        tables.chains.collect()
    assert len(tables.chains.filter(C("model") == "b").collect()) > 0


def test_tables_that_are_not_made_name_the_command(tmp_path, cli):
    """Takes some seconds: it makes a run's estimates and verdicts."""
    run = finish_in(tmp_path, SMALL)
    tables = cotfaith.read(str(run))
    for name, command in (("estimates", "aggregate"), ("comparisons", "aggregate"), ("verdicts", "gate")):
        with pytest.raises(RunFolderError, match=rf"no {name} yet. Make them with: cotfaith {command} {run}"):
            getattr(tables, name)
    assert cli("aggregate", str(run))[0] == 0
    assert cli("gate", str(run))[0] == 4
    for name in ("estimates", "comparisons", "verdicts"):
        assert getattr(tables, name).collect_schema().names() == TABLES[name].names
    assert tables.verdicts.collect()["verdict"].to_list() == ["not_enough_evidence"]
    assert set(tables.estimates.collect()["run_id"]) == {tables.run_id}


def test_estimates_of_another_run_are_refused(run, tmp_path):
    store, tables = open_store(str(run)), cotfaith.read(run)
    row = dict.fromkeys(TABLES["estimates"].names) | {"schema_version": SCHEMA_VERSION, "run_id": "another"}
    row |= dict.fromkeys(("model", "task", "strategy", "metric"), "x") | {"n_total": 1, "n_ok": 1, "n_items": 1}
    store.put("estimates.parquet", parquet(table_of("estimates", [row])))
    with pytest.raises(RunFolderError, match="is of the run 'another'"):
        _ = tables.estimates
    store.put("estimates.parquet", b"no parquet")
    with pytest.raises(RunFolderError, match="cannot be read"):
        _ = tables.estimates
    store.put("estimates.parquet", parquet(table_of("comparisons", [])))
    with pytest.raises(RunFolderError, match="it holds 'comparisons', expected 'estimates'"):
        _ = tables.estimates


def parquet(table):
    whole = io.BytesIO()
    pq.write_table(table, whole)
    return whole.getvalue()


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(SpecError, match="there is no run here"):
        cotfaith.read(tmp_path)
    with pytest.raises(SpecError, match="not supported"):
        cotfaith.read("gs://bucket/run")


def test_a_handle_can_be_read(run):
    assert repr(cotfaith.read(run)) == f"RunFrames(path={str(run)!r})"
    assert len(cotfaith.read(cotfaith.RunHandle(run)).items.collect()) == 16
