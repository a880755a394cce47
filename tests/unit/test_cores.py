"""Cores of an engine's own: which are chosen, that no other process gets them, and that a killed one frees them."""

import os
import signal
import subprocess
import sys

import pytest

from cotfaith.schemas.spec import ModelResources, ModelSpec, ResourceSpec
from cotfaith.workers.engines import cores
from cotfaith.workers.engines.waiting import wait_asleep

HOLD = """
import sys
from pathlib import Path
from cotfaith.workers.engines.cores import take
print(*take(int(sys.argv[1]), {4, 5, 6, 7}, Path(sys.argv[2])), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """A function that starts a process which takes some of the cores 4 to 7; it gives the process and its cores."""
    started = []

    def start(count):
        command = [sys.executable, "-c", HOLD, str(count), str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, {int(core) for core in process.stdout.readline().split()}

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_two_processes_get_different_cores_and_a_third_gets_none(holder):
    _, first = holder(2)
    _, second = holder(2)
    _, third = holder(1)
    assert (first | second, third) == ({4, 5, 6, 7}, set())


def test_a_process_that_does_not_fit_leaves_the_free_cores_to_others(holder):
    holder(3)
    assert holder(2)[1] == set()
    assert len(holder(1)[1]) == 1


def test_a_killed_process_frees_its_cores(holder):
    process, _ = holder(4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert holder(4)[1] == {4, 5, 6, 7}


def test_only_allowed_cores_are_taken_and_threads_started_later_stay_on_them(tmp_path):
    """In a process of its own, because the cores stay taken until it ends."""
    code = """
import os, sys
from pathlib import Path
from threading import Thread
from cotfaith.workers.engines import cores
cores.cpu_limit = lambda: None
allowed = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {allowed})
found, seen = cores.pin(1, Path(sys.argv[1])), []
thread = Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
thread.start(); thread.join()
print(found.cores == (allowed,), seen == [{allowed}], cores.pin(2, Path(sys.argv[1])).why_not)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True 2 of 1 cores are not free of other engines"


@pytest.mark.parametrize(
    ("count", "free", "near", "siblings", "chosen"),
    [
        (2, range(8), [], {}, (0, 1)),
        (2, range(8), [{0, 1, 2, 3}, {4, 5, 6, 7}], {}, (0, 1)),
        (2, (2, 3, 4, 5, 6, 7), [{0, 1, 2, 3}, {4, 5, 6, 7}], {}, (2, 3)),  # the fullest that has room
        (3, (2, 3, 4, 5, 6, 7), [{0, 1, 2, 3}, {4, 5, 6, 7}], {}, (4, 5, 6)),
        (5, (2, 3, 4, 5, 6, 7), [{0, 1, 2, 3}, {4, 5, 6, 7}], {}, (2, 3, 4, 5, 6)),
        (2, (0, 1, 2, 3), [], {0: 0, 1: 1, 2: 0, 3: 1}, (0, 2)),  # two real cores before two halves of one
        (3, (0, 1, 2, 3), [], {0: 0, 1: 1, 2: 0, 3: 1}, (0, 1, 2)),
        (3, (0, 1), [], {}, ()),
    ],
)
def test_choice(count, free, near, siblings, chosen):
    assert cores.choose(count, list(free), near, siblings) == chosen


def test_the_system_tells_memory_nodes_and_siblings(tmp_path):
    for name, text in {
        "node/node0/cpulist": "0-1,4\n",
        "node/node1/cpulist": "2-3\n",
        "cpu/cpu2/topology/thread_siblings_list": "0,2\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores.nodes(tmp_path) == [{0, 1, 4}, {2, 3}]
    assert [cores.sibling(core, tmp_path) for core in (2, 3)] == [1, 0]  # nothing is said of core 3


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000", "jobs/cpu.max": "400000 100000", "jobs/ours/cpu.max": "max 100000"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2.0),
        ({}, None),
    ],
)
def test_limit_of_a_container(tmp_path, files, limit):
    own = tmp_path / "own"
    own.write_text("0::/jobs/ours\n")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cores.cpu_limit(tmp_path, own) == limit


def test_a_share_of_the_time_is_not_pinned(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "cpu_limit", lambda: 0.5)
    found = cores.pin(1, tmp_path)
    assert (found.cores, "limit of 0.5 CPUs" in found.why_not) == ((), True)


def test_a_folder_of_another_user_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(cores.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cores, "cpu_limit", lambda: None)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert "belongs to another user" in cores.pin(1).why_not


def test_threads_sleep_when_they_wait_unless_the_user_says_otherwise(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    wait_asleep()
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # restored after the test
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_model_may_differ_from_the_run():
    run = ResourceSpec(pin=True)
    models = [ModelSpec(id="m", engine="stub", resources=ModelResources(pin=pin)) for pin in (None, False)]
    assert [run.of(model).pin for model in models] == [True, False]
