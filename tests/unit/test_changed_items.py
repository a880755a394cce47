"""A task's file grows or changes under a run: further items are added, and what reads differently is named.

Whole runs of a stub in this process, without Ray.
"""

import json
import random

import pytest
from runs_here import begin_only, without_ray

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.changed_items import item_change
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.spec import TaskSpec, parse_spec
from cotfaith.workers.tasks import load_task

ROWS = [{"q": f"What is {n} + 1?", "a": str(n + 1)} for n in range(8)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that writes the task's file and does a run of it; it returns the run's store."""
    without_ray(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def do(rows, n=4, **more):
        (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
        fields = {"question": "q", "gold": "a"} | more.pop("fields", {})
        task = {"name": "mine", "file": "mine.jsonl", "fields": fields, "n": n, **more}
        content = {
            "models": [{"id": "m", "engine": "stub"}],
            "tasks": [task],
            "probes": ["no_cot"],
            "resources": {"shard_size": 3},
            "output": {"path": "run"},
        }
        execute(parse_spec(content))
        return open_store("run")

    return do


def changed(number, **values):
    return [row | values if place == number - 1 else row for place, row in enumerate(ROWS)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_n_grows_and_items_that_are_done_keep_their_rows(run, shuffle):
    before = read_tables(run(ROWS, 4, shuffle=shuffle))
    store = run(ROWS, 6, shuffle=shuffle)
    after = read_tables(store)
    assert [(one.start, one.stop) for one in load_run(store).ranges["mine"]] == [(0, 4), (4, 6)]
    assert after["items"].height == 6
    for name, frame in before.items():
        kept = after[name].filter(after[name]["item_id"].is_in(before["items"]["item_id"].to_list()))
        assert kept.equals(frame), name


def test_the_first_n_of_a_shuffled_file_stay_the_first(tmp_path):
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    task = {"name": "mine", "file": str(tmp_path / "mine.jsonl"), "fields": {"question": "q", "gold": "a"}}
    few, all_of_them = (load_task(TaskSpec(**task, n=n, shuffle=True), 5) for n in (3, 8))
    assert all_of_them[:3] == few
    assert [item.id for item in all_of_them] != sorted(item.id for item in all_of_them)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            changed(3, q="What is 2 plus 1?"),
            r"item 3 \('mine-000002'\) reads differently now: the question was 'What is 2 \+ 1\?', now 'What is 2 p",
        ),
        (changed(2, a="7"), r"item 2 \('mine-000001'\) reads differently now: the gold was '2', now '7'"),
        ([ROWS[7], *ROWS], r"item 1 \('mine-000000'\) reads differently now: the question was 'What is 0"),
        (ROWS[:3] + ROWS[4:], r"item 4 \('mine-000003'\) reads differently now"),
    ],
)
def test_the_first_item_that_reads_differently_is_named(run, rows, words):
    store = run(ROWS)
    before = store.get("run.json")
    with pytest.raises(RunConflictError, match=rf"the run has 4 items of task 'mine'; {words}"):
        run(rows, 6)
    assert store.get("run.json") == before


def test_what_comes_after_the_run_s_items_may_change(run):
    run(ROWS)
    assert read_tables(run(changed(5, q="Another?"), 5))["items"].height == 5


def test_a_change_far_within_a_text_is_shown(run):
    long = "word " * 200
    run(changed(2, q=f"{long}one?"))
    with pytest.raises(RunConflictError, match=r"the question was \.\.\.'.*one\?', now \.\.\.'.*two\?'"):
        run(changed(2, q=f"{long}two?"))


def test_with_ids_of_their_own_a_removed_item_and_another_order_are_named(run):
    rows = [row | {"key": f"k{n}"} for n, row in enumerate(ROWS)]
    fields = {"id": "key"}
    run(rows, fields=fields)
    with pytest.raises(RunConflictError, match="item 'k1' is not among the first 4 now"):
        run([rows[0], *rows[2:]], fields=fields)
    with pytest.raises(RunConflictError, match="the run has 4 items of task 'mine'; they are in another order now"):
        run([*reversed(rows[:4]), *rows[4:]], fields=fields)


def test_a_shuffled_file_that_got_another_line_is_refused(run):
    run(ROWS, shuffle=True)
    words = r"item 'mine-00000\d' is not among the first 4 now; with shuffle, a file that gets or loses a line"
    with pytest.raises(RunConflictError, match=words):
        run([*ROWS, {"q": "One more?", "a": "1"}, {"q": "And one?", "a": "1"}], shuffle=True)


def test_before_anything_is_committed_the_range_is_named(run, monkeypatch):
    begin_only(monkeypatch)
    run(ROWS)
    with pytest.raises(RunConflictError, match="the run has 4 items of task 'mine'; items 1 to 4 read differently now"):
        run(changed(3, q="Else?"))


def test_a_damaged_folder_does_not_hide_the_contradiction(run, tmp_path):
    run(ROWS)
    for part in (tmp_path / "run").rglob("*.items"):
        part.write_bytes(b"damaged")
    with pytest.raises(RunConflictError, match="items 1 to 4 read differently now"):
        run(changed(3, q="Else?"))


def test_any_one_change_is_found_where_it_is(run, tmp_path):
    store = run(ROWS, 8)
    record = load_run(store)
    draw = random.Random(3)
    for number in draw.sample(range(1, 9), 4):
        path = tmp_path / "other.jsonl"
        path.write_text("\n".join(map(json.dumps, changed(number, q="Else?"))))
        task = TaskSpec(name="mine", file=str(path), fields={"question": "q", "gold": "a"})
        assert f"item {number} (" in item_change(store, record, (), "mine", load_task(task, 0))
