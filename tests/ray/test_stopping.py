"""Runs that are asked to stop: what still begins, what finishes, what is kept, what they cost, and that they resume."""

import json
import os
import re
import signal
import time

import pytest
from chaos import Listener, n_commits, run, spec, started, wait_for
from commands import in_process, write_spec
from process_tree import below
from run_tables import as_read, compare

from cotfaith.cluster.fleet.costs import read_costs
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import RunStoppedError
from cotfaith.schemas.spec import parse_spec

pytestmark = pytest.mark.usefixtures("shared_ray")
SECONDS_PER_CALL = 0.2
PRICED = {"shard_size": 2, "cpus": 1, "prices": {"cpu_hour": 3600}}  # a second of an engine costs 1


class Asks(Listener):
    """A user who asks a run to stop when its first job is done."""

    def __init__(self, stopping):
        super().__init__()
        self.stopping, self.counts = stopping, {"began": 0, "ended": 0}
        self.began_after = 0

    def began(self, job, engine="", node=None):
        self.counts["began"] += 1
        self.began_after += self.stopping.asked() is not None

    def ended(self, job, engine=""):
        self.counts["ended"] += 1

    def finished(self, model, report, engine):
        self.stopping.ask("enough")


def rows(path):
    return as_read(open_store(str(path)))


def stopped(content, drain_s):
    listener = Asks(Stopping(drain_s=drain_s))
    with pytest.raises(RunStoppedError, match="Stopped before the end: enough"):
        execute(parse_spec(content), listener, stopping=listener.stopping)
    return listener


@pytest.fixture(scope="module")
def whole(held_ray, tmp_path_factory):
    """The rows of a run that nothing stopped."""
    held_ray.up()
    path = tmp_path_factory.mktemp("whole") / "run"
    run(spec(path))
    return rows(path)


def test_running_jobs_finish_none_begins_and_the_rest_is_done_later(tmp_path, whole):
    path = tmp_path / "run"
    found = stopped(spec(path, SECONDS_PER_CALL), drain_s=120)
    assert found.began_after == 0
    assert found.counts["ended"] == found.counts["began"] > 1  # those that ran beside the first one, too
    assert 0 < len(rows(path)) < len(whole)
    run(spec(path))
    assert compare(whole, rows(path)).equal


def test_without_time_to_finish_running_jobs_are_cut_off(tmp_path, whole):
    path = tmp_path / "run"
    found = stopped(spec(path, SECONDS_PER_CALL), drain_s=0)
    assert found.counts["ended"] < found.counts["began"]
    run(spec(path))
    assert compare(whole, rows(path)).equal


def test_engines_that_end_with_the_run_cost_no_job_an_attempt(tmp_path, whole):
    """A signal often reaches all processes of a run."""

    class Kills(Asks):
        def finished(self, model, report, engine):
            super().finished(model, report, engine)
            for process in below(os.getpid()):
                if "EngineActor" in process.title:
                    os.kill(process.pid, signal.SIGKILL)

    path, listener = tmp_path / "run", Kills(Stopping())
    with pytest.raises(RunStoppedError):
        execute(parse_spec(spec(path, SECONDS_PER_CALL)), listener, stopping=listener.stopping)
    assert listener.counts["ended"] == listener.counts["began"] > 1
    assert "attempt" not in listener.text()
    run(spec(path))
    assert compare(whole, rows(path)).equal


def test_each_session_says_what_its_engines_cost(tmp_path):
    path = tmp_path / "run"
    content = spec(path, SECONDS_PER_CALL, resources=PRICED)
    began = time.monotonic()
    stopped(content, drain_s=120)
    (first,) = read_costs(open_store(str(path)))
    took_s = time.monotonic() - began
    run(content)
    first_again, second = read_costs(open_store(str(path)))
    assert first_again == first
    for one in (first, second):
        assert one.cost == pytest.approx(sum(engine.hours for engine in one.engines) * 3600)
        assert sum(engine.prompt_tokens for engine in one.engines) > 0
    assert 0 < first.cost < len(first.engines) * took_s  # one engine of each model


def test_a_limit_on_cost_counts_earlier_sessions_and_names_a_larger_one(tmp_path, whole):
    content = spec(tmp_path / "run", SECONDS_PER_CALL, resources=PRICED)
    file = write_spec(tmp_path, content)
    first = in_process("run", file, "--max-cost", 3, "--json")
    assert first.returncode == 3, first.stderr
    assert re.search(
        r"the limit of 3 USD is (near|reached): the run has cost \d\.\d\d USD", json.loads(first.stdout)["stopped"]
    )
    before = n_commits(tmp_path / "run")
    again = in_process("run", file, "--max-cost=0.001")
    assert again.returncode == 3
    assert "the limit of 0.001 USD is reached" in again.stderr
    assert n_commits(tmp_path / "run") == before
    more = float(re.search(r"To continue: cotfaith run \S+ --max-cost=(\S+)$", again.stderr.strip())[1])
    cost = sum(one.cost for one in read_costs(open_store(str(tmp_path / "run"))))
    assert cost < more < cost + 0.02
    last = in_process("run", file, "--max-cost", 1e6)
    assert last.returncode == 0, last.stderr
    assert compare(whole, rows(tmp_path / "run")).equal


def test_a_limit_on_hours_writes_the_report_of_what_is_done(tmp_path):
    content = spec(tmp_path / "run", SECONDS_PER_CALL)
    with started(tmp_path, content, "--max-hours", "0.004", "--drain-seconds", "1") as tree:
        assert tree.wait(120) == 3
        *_, said, last = tree.text().splitlines()
    assert said == "Stopped before the end: the limit of 0.004 hours is near. Finished work is kept."
    assert re.fullmatch(r"To continue: cotfaith run \S+ --max-hours 0.004 --drain-seconds 1", last)
    assert (tmp_path / "run" / "report.html").exists()


def test_a_second_signal_stops_at_once(tmp_path):
    with started(tmp_path, spec(tmp_path / "run", 30)) as tree:  # no call ends before the test
        wait_for(lambda: tree.named("ray::Runner.run"), tree)
        tree.signal(signal.SIGTERM)
        wait_for(lambda: "Stopping: SIGTERM was received" in tree.text(), tree)
        tree.signal(signal.SIGTERM)
        assert tree.wait(60) == 143
        assert "in flight are lost" in tree.text()
    assert not (tmp_path / "run" / "report.html").exists()
