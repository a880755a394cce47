"""``tasks[].models``: which subjects answer a task, in the plan, the run, its completeness, costs and status."""

import io
import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from run_records import run_record
from runs_here import without_ray

from cotfaith.cluster.cli.stages import stages
from cotfaith.cluster.cli.status_tables import status_table
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.costs import costs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.resolved import resolve

GRID = [("a", "both"), ("a", "own-a"), ("b", "both"), ("b", "own-b")]


def content(probes=("no_cot",), **models):
    """Two models and three tasks: one for both, and one for each."""
    wanted = {"both": None, "own-a": ["a"], "own-b": ["b"]} | models
    tasks = [{"name": name, "generator": "addition", "n": 3, "models": who} for name, who in wanted.items()]
    return {
        "models": [{"id": name, "engine": "stub"} for name in "ab"],
        "tasks": tasks,
        "probes": list(probes),
        "resources": {"shard_size": 2},
        "output": {"path": "run"},
    }


def transfer(*readers):
    return {"name": "transfer", "options": {"readers": list(readers) or None}}


@pytest.fixture
def done(tmp_path, monkeypatch):
    """Do a spec in one folder, which may be the folder of an earlier one."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)

    def run(spec):
        Path("spec.yaml").write_text(yaml.safe_dump(spec))
        assert execute(load_spec("spec.yaml")) == []
        return LocalStore(Path("run"))

    return run


def cells(table):
    return sorted(set(zip(table["model"], table["task"], strict=True)))


class TestSpec:
    @pytest.mark.parametrize(
        ("models", "message"),
        [
            (["A"], "task 'both', models: Unknown subject 'A'. Known: a, b."),
            (["editor"], "task 'both', models: Unknown subject 'editor'"),
            ([], "tasks.0.models: expected at least 1 item"),
            ("a", "tasks.0.models: expected a list"),
        ],
    )
    def test_only_subjects_can_be_named(self, models, message):
        spec = content(both=models)
        spec["models"].append({"id": "editor", "engine": "stub", "roles": ["editor"]})
        with pytest.raises(SpecError) as error:
            parse_spec(spec)
        assert message.lower() in str(error.value).lower()

    def test_a_subject_without_a_task_is_said(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        told = make_plan(parse_spec(content(both=["a"], **{"own-b": ["a"]}))).notes
        assert "b: no task names it in `models`, so it does nothing." in told
        assert not any("does nothing" in note for note in make_plan(parse_spec(content())).notes)
        reads = content([transfer("b")], both=["a"], **{"own-b": ["a"]})
        assert not any("does nothing" in note for note in make_plan(parse_spec(reads)).notes)


class TestRun:
    def test_each_model_does_its_own_tasks_and_nothing_is_missing(self, done):
        store = done(content())
        tables, run = read_tables(store), load_run(store)
        assert [cells(tables[name]) for name in ("items", "chains", "observations")] == [GRID] * 3
        found = completeness(store, run)
        assert (found.done, found.total, found.whole) == (8, 8, True)

    def test_the_rows_are_those_of_a_run_of_all(self, done, tmp_path, monkeypatch):
        some = read_tables(done(content()))["chains"]
        (tmp_path / "all").mkdir()
        monkeypatch.chdir(tmp_path / "all")
        every = read_tables(done(content(**{"own-a": None, "own-b": None})))["chains"]
        key = ["model", "task", "item_id"]
        both = some.join(every, on=key, suffix="_all")
        assert len(both) == len(some) == 12
        assert both["text"].to_list() == both["text_all"].to_list()

    def test_a_task_can_be_widened_and_narrowed(self, done):
        store = done(content())
        before = read_ledger(store).statuses()
        store = done(content(**{"own-a": ["a", "b"]}))
        assert cells(read_tables(store)["chains"]) == sorted([*GRID, ("b", "own-a")])
        assert read_ledger(store).statuses().total() == before.total() * 5 // 4
        store = done(content())  # what is there stays, and is whole
        assert ("b", "own-a") in cells(read_tables(store)["chains"])
        assert completeness(store, load_run(store)).whole

    def test_status_shows_no_cell_that_is_not_wanted(self, done):
        store = done(content())
        shown = io.StringIO()
        Console(file=shown, width=100).print(status_table("", stages(load_run(store), read_ledger(store))))
        lines = [line.split()[:3] for line in shown.getvalue().splitlines()]
        assert sorted((m, t) for m, t, stage in [one for one in lines if len(one) == 3] if stage == "chains") == GRID
        assert "0/2" not in shown.getvalue()

    def test_costs_have_no_line_for_them(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert sorted((line.model, line.task) for line in costs(make_plan(parse_spec(content())))) == GRID

    def test_run_json_says_who_answers(self, done):
        record = json.loads(done(content()).get("run.json"))
        assert [task["models"] for task in record["spec"]["tasks"]] == [None, ["a"], ["b"]]
        assert "models" not in json.dumps(record["identity"]["tasks"])


class TestReaders:
    def test_by_default_those_that_answer_the_task_read_it(self, done):
        assert resolve(parse_spec(content([transfer()]))).probes[0].readers_of == {
            "both": ("a", "b"),
            "own-a": ("a",),
            "own-b": ("b",),
        }
        store = done(content([transfer()]))
        rows = read_tables(store)["observations"].select("task", "model", "reader").unique().sort("task", "model")
        assert len(rows) == 4 + 1 + 1
        assert rows.filter(rows["task"] == "own-a").rows() == [("own-a", "a", "a")]
        found = completeness(store, load_run(store))
        assert (found.whole, found.total) == (True, 8)
        assert load_run(store).readers_of("transfer", "own-b") == ["b"]
        assert load_run(store).readers_of("transfer", "both") == ["a", "b"]

    def test_a_reader_that_is_named_reads_every_task(self, done):
        store = done(content([transfer("b")]))
        rows = read_tables(store)["observations"]
        assert cells(rows) == GRID
        assert rows["reader"].unique().to_list() == ["b"]
        assert completeness(store, load_run(store)).whole
        lines = {(line.model, line.task): line for line in costs(make_plan(load_spec("spec.yaml")))}
        assert lines["b", "own-a"].items == 0
        assert lines["b", "own-a"].requests == 3

    def test_the_readings_that_are_missing_are_those_that_are_wanted(self, done):
        store = done(content([transfer()]))
        plan = make_plan(load_spec("spec.yaml"))
        jobs = Jobs(plan, load_run(store))
        assert sorted((shard.task, reader) for shard, _, reader in jobs.readings() if shard.start == 0) == [
            *[("both", reader) for reader in "aabb"],
            ("own-a", "a"),
            ("own-b", "b"),
        ]
        assert jobs.unread(read_ledger(store)) == []


def test_a_record_of_an_older_run_wants_every_cell():
    run = run_record(models=("a", "b"), tasks=("t", "u"), probes=("transfer",), readers={"transfer": ["a", "b"]})
    assert all(run.spec.answers(model, task) for model in "ab" for task in run.spec.tasks)
    assert run.readers_of("transfer", "u") == ["a", "b"]
    assert run.readers_of("no_cot", "u") == []
