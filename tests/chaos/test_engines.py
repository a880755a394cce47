"""Processes of a run that die while it goes on: an engine in mid-batch, the worker of a shard task, and both again.

The short forms run on this process's Ray; the long ones have a Ray of their own and lose many.
"""

import os
import random
import signal
from threading import Event, Thread

import pytest
from chaos import n_commits, run, spec, started, wait_for
from process_tree import below
from run_tables import NAMES, as_read, compare

from cotfaith.cluster.storage.store import open_store

SECONDS_PER_CALL = 0.03
ENGINE, TASK = "ray::EngineActor.call", "ray::Runner.run"
"""What Ray calls a process while it does that: an idle one has another title."""
FAULTS = {ENGINE: "kill -9 of an engine in mid-batch", TASK: "kill -9 of a shard task's worker"}


def kill_one(title, draw, root):
    """Kill -9 one of the processes below ``root`` that now do what ``title`` says; return whether there was one."""
    found = [process.pid for process in below(root) if process.title == title]
    if found:
        os.kill(draw.choice(found), signal.SIGKILL)
    return bool(found)


class Killer(Thread):
    """Kills a process below this one once the run at ``path`` has ``commits`` commits."""

    def __init__(self, title, path, commits):
        super().__init__(daemon=True)
        self.title, self.path, self.commits = title, path, commits
        self.over, self.killed = Event(), 0

    def run(self):
        while not self.over.wait(0.03) and not self.killed:
            if n_commits(self.path) >= self.commits:
                self.killed += kill_one(self.title, random.Random(0), os.getpid())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("title", FAULTS)
def test_a_process_is_killed(check, tmp_path, title):
    path = tmp_path / "run"
    with Killer(title, path, commits=6) as killer:
        said = run(spec(path, SECONDS_PER_CALL))
    assert killer.killed == 1
    assert "trying again" in said.text()
    check(FAULTS[title], path)


@pytest.mark.chaos
@pytest.mark.parametrize("title", FAULTS)
def test_ten_processes_are_killed(check, tmp_path, title):
    path, draw, killed = tmp_path / "run", random.Random(title), 0
    content = spec(path, 10 * SECONDS_PER_CALL)
    content["resources"] |= {"attempts": 20, "shard_size": 1}  # no shard may run out of attempts by bad luck
    with started(tmp_path, content) as tree:
        for _ in range(10):
            commits = n_commits(path) + draw.randint(1, 6)
            wait_for(lambda commits=commits: n_commits(path) >= commits, tree)
            wait_for(lambda: kill_one(title, draw, tree.pid), tree)
            killed += 1
        assert tree.wait(300) == 0, tree.text()
    check(FAULTS[title], path, tried=killed)


@pytest.mark.usefixtures("shared_ray")
@pytest.mark.parametrize("shard_size", [2, pytest.param(16, marks=pytest.mark.chaos)])
def test_an_item_that_crashes_its_engine(reference, fault_table, tmp_path, shard_size):
    """It is quarantined where that engine answers; all else of its shard is as it would be. It does not crash again."""
    path = tmp_path / "run"
    question = next(
        rows[0]["question"]
        for key, rows in reference.read.items()
        if key[0] == "items" and rows[0]["task"] == "tracking"
    )
    content = spec(path, resources={"shard_size": shard_size, "cpus": 1})
    content["models"][0]["options"] |= {"kill_on": question}
    said = run(content, quarantined=1)
    assert "quarantined" in said.text()
    store = open_store(str(path))
    rows, crashed = split(as_read(store), question)
    expected, _ = split(reference.read, question)
    assert {row["status"] for found in crashed.values() for row in found if "status" in row} == {"quarantined"}
    found = compare(expected, rows)
    fault_table.add("an item that crashes its engine", 1, found)
    assert found.equal, found
    before = n_commits(path)
    assert "0 to do" in run(content).text()
    assert n_commits(path) == before


def split(rows, question):
    """Return all rows but those of model m on the item with this question, and those."""
    item = next(key for key, found in rows.items() if key[0] == "items" and found[0]["question"] == question)
    name = item[NAMES.index("item_id") + 1]
    mine = {
        key: found
        for key, found in rows.items()
        if found[0]["item_id"] == name and found[0]["model"] == "m" and key[0] != "items"
    }
    return {key: found for key, found in rows.items() if key not in mine}, mine


@pytest.mark.usefixtures("shared_ray")
def test_an_engine_without_memory_for_a_whole_batch(check, tmp_path):
    """It halves the batch, and goes on: no row fails, and none is lost."""
    path = tmp_path / "run"
    content = spec(path)
    for model in content["models"]:
        model["options"] |= {"most_requests": 3}
    run(content)
    check("an engine out of memory", path)
