"""Whole runs on a real local Ray with the stub engine: identity of results, resume, crashes.

The reference run and the interrupted runs are processes with a Ray of their own; the others share this process's Ray.
"""

import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from commands import as_process, in_process, line, write_spec

from cotfaith.cluster.storage.read import read_ledger, read_quarantine, read_tables
from cotfaith.cluster.storage.store import LocalStore

PROBES = ["no_cot", "early_answering", "filler_tokens"]


def spec(path, **changes):
    return {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [
            {"name": "tracking", "generator": "tracking_objects", "n": 12},
            {"name": "addition", "generator": "addition", "n": 5},
        ],
        "sampling": {"chains_per_item": 2},
        "probes": PROBES,
        "resources": {"shard_size": 4},
        "output": {"path": str(path)},
    } | changes


def run(folder, content, *arguments):
    return in_process("run", write_spec(folder, content), *arguments)


@contextmanager
def background(folder, content, deaf=False):
    """A run as a process, which ignores Ctrl-C if ``deaf``. It is killed at the end, if it still runs."""
    process = subprocess.Popen(
        line("run", write_spec(folder, content)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if deaf else None,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def tables(path, drop=("run_id",)):
    found = read_tables(LocalStore(Path(path)))
    return {name: frame.drop(drop, strict=False) for name, frame in found.items()}


def markers(path):
    """Each commit's attempt, by its key."""
    return {commit.key: commit.attempt for commit in read_ledger(LocalStore(Path(path))).commits()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].height > 0
        assert one[name].equals(other[name]), name


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """An undisturbed run of the command line, in a process of its own."""
    folder = tmp_path_factory.mktemp("reference")
    done = as_process("run", write_spec(folder, spec(folder / "run")))
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_says_what_it_did(reference):
    found = tables(reference / "run")
    assert {n: f.height for n, f in found.items()}["items"] == 17
    assert found["chains"].height == 34
    assert set(found["observations"]["probe"]) == set(PROBES)
    assert (reference / "run" / "report.html").stat().st_size > 50_000
    estimates = pl.read_parquet(reference / "run" / "estimates.parquet")
    assert {"accuracy_cot", "accuracy_no_cot", "aoc"} <= set(estimates["metric"])
    run = json.loads((reference / "run" / "run.json").read_text())
    assert {task: [r["stop"] for r in found] for task, found in run["ranges"].items()} == {
        "tracking": [12],
        "addition": [5],
    }
    assert set(run["versions"]) >= {"torch", "transformers", "ray", "python"}


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize(("replicas", "size"), [(3, 1), (1, 16)])
def test_results_do_not_depend_on_replicas_and_shard_size(reference, tmp_path, replicas, size):
    done = run(tmp_path, spec(tmp_path / "run", resources={"replicas": replicas, "shard_size": size}))
    assert done.returncode == 0, done.stderr
    assert_equal(tables(tmp_path / "run"), tables(reference / "run"))


def test_a_finished_run_has_nothing_to_do(reference):
    before = markers(reference / "run")
    done = run(reference, spec(reference / "run"))
    assert done.returncode == 0
    assert "5 of 5 shards are done, 0 to do" in done.stdout
    assert markers(reference / "run") == before


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def slow(path):
    """Shards of one item and 0.3 s for each call: time to interrupt."""
    model = {"id": "m", "engine": "stub", "options": {"seconds_per_call": 0.3}}
    return spec(path, models=[model], resources={"shard_size": 1})


def check_resumed(tmp_path, reference, before):
    assert 0 < len(before) < 34  # 17 shards of two commits: the run was under way
    done = run(tmp_path, slow(tmp_path / "run"), "--set", "models.m.options.seconds_per_call=0")
    assert done.returncode == 0, done.stderr
    after = markers(tmp_path / "run")
    assert len(after) == 34
    assert {key: after[key] for key in before} == before  # what was committed was not done again
    assert_equal(tables(tmp_path / "run"), tables(reference / "run"))


@pytest.mark.usefixtures("shared_ray")
def test_kill_9_of_the_driver_and_run_again(reference, tmp_path):
    with background(tmp_path, slow(tmp_path / "run")) as process:
        wait_for(lambda: len(markers(tmp_path / "run")) >= 8)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(3)  # tasks that it started may still commit for a moment
    check_resumed(tmp_path, reference, markers(tmp_path / "run"))


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_shards_finish_and_says_how_to_resume(reference, tmp_path, sent, code):
    # A script's background jobs ignore Ctrl-C, and must still obey SIGTERM.
    with background(tmp_path, slow(tmp_path / "run"), deaf=sent is signal.SIGTERM) as process:
        wait_for(lambda: len(markers(tmp_path / "run")) >= 8)
        os.kill(process.pid, sent)
        text, _ = process.communicate(timeout=60)
    assert process.returncode == code
    *_, last = text.splitlines()
    assert re.search(r"^Stopped\. Finished work is kept\. To continue: cotfaith run .*spec\.yaml$", last)
    assert re.search(r"Stopping: .*Running shards get up to 1[12]\d s to finish", text)
    assert "in flight" not in text  # nothing was lost
    assert "Traceback" not in text
    check_resumed(tmp_path, reference, markers(tmp_path / "run"))


@pytest.mark.usefixtures("shared_ray")
def test_a_new_probe_reuses_the_chains(reference, tmp_path):
    first = run(tmp_path, spec(tmp_path / "run", probes=["no_cot"]))
    assert first.returncode == 0, first.stderr
    before = markers(tmp_path / "run")
    second = run(tmp_path, spec(tmp_path / "run"))
    assert second.returncode == 0, second.stderr
    after = markers(tmp_path / "run")
    assert {key: after[key] for key in before} == before
    new = [one for one in read_ledger(LocalStore(tmp_path / "run")).commits() if one.key not in before]
    assert {piece.probe for one in new for piece in one.pieces} == {"early_answering", "filler_tokens"}
    assert_equal(tables(tmp_path / "run"), tables(reference / "run"))


@pytest.mark.usefixtures("shared_ray")
def test_a_store_that_fails_within_a_task_is_said_in_one_line(tmp_path):
    in_the_way = tmp_path / "run" / "_commits/m/addition/0000000-0000004/00000.json"
    in_the_way.mkdir(parents=True)
    done = run(tmp_path, spec(tmp_path / "run"))
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if "Error" in line]
    assert said.startswith(f"Error: {in_the_way}: something other than a file has this name")
    assert 'File "' not in done.stderr


@pytest.mark.usefixtures("shared_ray")
def test_a_lost_engine_is_replaced(reference, tmp_path):
    options = {"kill_on": "dancers", "kill_once_file": str(tmp_path / "killed")}
    content = spec(tmp_path / "run", models=[{"id": "m", "engine": "stub", "options": options}])
    content["models"][0]["options"]["kill_on"] = "Human"
    done = run(tmp_path, content)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed").exists()
    assert "trying again" in done.stderr
    assert_equal(tables(tmp_path / "run"), tables(reference / "run"))


@pytest.mark.usefixtures("shared_ray")
def test_an_item_that_kills_its_engine_is_quarantined_and_all_others_are_done(reference, tmp_path):
    items = tables(reference / "run")["items"].filter(pl.col("task") == "addition")
    bad = items["item_id"][1]
    model = {"id": "m", "engine": "stub", "options": {"kill_on": items["question"][1]}}
    done = run(tmp_path, spec(tmp_path / "run", models=[model]))
    assert done.returncode == 0, done.stderr  # 6 of 343 rows are fewer than 5%
    assert "quarantined after 3 attempts" in done.stderr
    found = tables(tmp_path / "run")
    mine = {name: frame.filter(pl.col("item_id") == bad) for name, frame in found.items()}
    assert set(mine["chains"]["status"]) == set(mine["observations"]["status"]) == {"quarantined"}
    assert mine["chains"].height == 2
    rest = {name: frame.filter(pl.col("item_id") != bad) for name, frame in found.items()}
    assert_equal(rest, {n: f.filter(pl.col("item_id") != bad) for n, f in tables(reference / "run").items()})
    (record,) = read_quarantine(LocalStore(tmp_path / "run"))
    assert (record.task, record.item, record.index, record.attempts) == ("addition", bad, 1, 3)
    again = in_process("status", tmp_path / "run", width=200)
    assert again.returncode == 0, again.stderr
    assert f"Quarantined: {record.name}: {record.reason}" in again.stdout  # a later command still shows why
    assert "Incomplete" not in again.stdout
    before = markers(tmp_path / "run")
    assert run(tmp_path, spec(tmp_path / "run", models=[model])).returncode == 0
    assert markers(tmp_path / "run") == before


@pytest.mark.usefixtures("shared_ray")
def test_failed_rows_over_the_limit_exit_with_1(tmp_path):
    model = {"id": "m", "engine": "stub", "options": {"garbage_answers": True}}
    done = run(tmp_path, spec(tmp_path / "run", models=[model]))
    assert done.returncode == 1
    assert "rows failed (limit 5%)" in done.stderr
    found = tables(tmp_path / "run")["chains"].filter(pl.col("task") == "addition")
    assert set(found["status"]) == {"unparsed"}
    assert found["correct"].null_count() == found.height


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seed": 1}, "seed: the run has 0, the spec 1"),
        ({"sampling": {"chains_per_item": 3}}, "sampling.chains_per_item: the run has 2, the spec 3"),
        ({"models": [{"id": "m", "engine": "stub", "options": {"max_steps": 9}}]}, "models.m.options"),
        ({"prompts": {"cot": "Think:"}}, "prompts.cot"),
        (
            {"tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 11}]},
            "tasks.tracking: the run has 12 items of it, the spec 11",
        ),
        ({"probes": [{"name": "filler_tokens", "options": {"step": 3}}]}, "probes.filler_tokens.step"),
    ],
)
def test_a_spec_that_contradicts_the_run_is_refused(reference, tmp_path, change, expected):
    before = (reference / "run" / "run.json").read_bytes()
    done = run(tmp_path, spec(reference / "run", **change))
    assert done.returncode == 2
    assert expected in done.stderr
    assert (reference / "run" / "run.json").read_bytes() == before
