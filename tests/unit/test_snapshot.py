"""The live status: counts of what the scheduler tells, rates over a window, how a run ended; and its writing."""

import json
import threading

import pytest
from forecasts import forecast_of, missing_of

from cotfaith.cluster.fleet.events import RunEvent
from cotfaith.cluster.fleet.observers import Watching, observed
from cotfaith.cluster.fleet.process import this_process
from cotfaith.cluster.fleet.reporter import SILENT, EngineCount
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.fleet.snapshot import Publisher, Snapshot
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFailedError, StoreError
from cotfaith.schemas.run_folder import parse_live_status
from cotfaith.workers.engines.protocol import CHAINS, EngineUsage, Running, StageKey, StageWork


def usage(prompt, generated, busy_s, computed=0, running=0):
    stages = {StageKey("m", "t", CHAINS): StageWork(1, generated, busy_s)}
    return EngineUsage(prompt, computed, generated, running=Running(generated_tokens=running), stages=stages)


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def snapshot(now, tmp_path):
    made = Snapshot("r", this_process(), "cotfaith run spec.yaml", clock=lambda: now[0])
    made.begin_stage(forecast_of(tmp_path / "forecast"))
    return made


@pytest.fixture
def jobs(tmp_path):
    """Four jobs of two items."""
    return missing_of(tmp_path / "run").of_subjects(Ledger())


def test_jobs_are_counted_by_what_became_of_them(snapshot, jobs, now):
    assert snapshot.status().state == "loading"
    snapshot.engines({"m": EngineCount(1, 3)})
    snapshot.waiting({"m": 1})
    for at, job in enumerate(jobs[:3]):
        now[0] = 1000.0 + at
        snapshot.began(job, "m#1")
    snapshot.ended(jobs[0], "m#1")
    snapshot.finished("m", ShardReport(jobs[0].shard.id, 2, statuses={"ok": 7, "unparsed": 2}), "m#1")
    snapshot.ended(jobs[1], "m#1")
    for kind, charged in (
        ("job_failed", True), ("job_failed", False), ("job_retried", None), ("job_preempted", None),
        ("item_quarantined", None),
    ):  # fmt: skip
        snapshot.happened(RunEvent(kind, job=jobs[1], charged=charged))
    snapshot.preempted(2)
    snapshot.spent(1.5, "USD")
    now[0] = 1010.0
    status = snapshot.status()
    (one,) = status.models
    assert (one.model, one.stage) == ("m", "shards")
    assert (one.done, one.running, one.waiting) == (1, 1, 1)
    assert (one.failed, one.preempted, one.quarantined) == (1, 1, 1)
    assert (one.engines_up, one.engines_asked) == (1, 3)
    assert [(job.job, job.engine, job.seconds) for job in status.oldest] == [(jobs[2].name, "m#1", 8.0)]
    assert (status.rows, status.rows_not_ok, status.preemptions) == (9, 2, 2)
    assert (status.cost, status.currency, status.resume) == (1.5, "USD", "cotfaith run spec.yaml")
    assert status.state == "running"
    assert status.elapsed_s == 10.0
    assert json.loads(status.as_json())["models"][0]["done"] == 1


def test_rates_are_those_of_the_last_minute_and_idle_engines_count_as_up(snapshot, jobs, now):
    """100 tokens a second for 100 s on two engines, one of which works; then nothing."""
    snapshot.began(jobs[0], "m#1")
    snapshot.engines({"m": EngineCount(2, 2)})
    for _ in range(10):
        now[0] += 10
        done_s = now[0] - 1000
        snapshot.used(
            "m#1", usage(round(90 * done_s), round(8 * done_s), done_s, round(30 * done_s), round(2 * done_s))
        )
        snapshot.used("m#2", usage(0, 0, 0.0))
        status = snapshot.status()
    (one,) = status.models
    assert (one.tokens, one.distinct_tokens) == (10_000, 3_200)
    assert (one.tokens_per_s, one.distinct_tokens_per_s, one.busy_share) == (100.0, 32.0, 0.5)
    assert status.busy_share == 0.5
    assert status.engine_hours == pytest.approx(200 / 3600, abs=1e-6)
    for _ in range(3):
        now[0] += 10
        status = snapshot.status()
    (one,) = status.models
    assert (one.tokens_per_s, one.busy_share) == (50.0, 0.25)  # half of the minute
    snapshot.used("m#1", usage(9, 9, 1.0))  # late news
    assert snapshot.status().models[0].tokens == 10_000


def test_a_failed_calls_tokens_are_taken_back_and_no_rate_is_negative(snapshot, now):
    now[0] += 10
    snapshot.used("m#1", usage(100, 0, 5.0, running=50))
    snapshot.status()
    now[0] += 70
    snapshot.used("m#1", usage(100, 0, 6.0))
    (one,) = snapshot.status().models
    assert (one.tokens, one.tokens_per_s) == (100, 0.0)


def test_engines_without_a_count_of_distinct_tokens_have_no_such_rate(snapshot, now):
    snapshot.status()
    now[0] += 10
    snapshot.used("m#1", usage(100, 0, 5.0))
    (one,) = snapshot.status().models
    assert (one.tokens_per_s, one.distinct_tokens_per_s) == (10.0, None)


def test_readings_are_a_row_of_their_own_and_their_engines_are_new(snapshot, jobs, tmp_path):
    snapshot.began(jobs[0], "m#1")
    snapshot.used("m#1", usage(100, 0, 5.0))
    snapshot.preempted(1)
    snapshot.begin_stage(forecast_of(tmp_path / "forecast"))
    snapshot.used("m#1", usage(30, 0, 1.0))  # another engine: each stage numbers its own from 1
    snapshot.preempted(2)
    status = snapshot.status()
    assert {(one.model, one.stage): one.tokens for one in status.models} == {
        ("m", "shards"): 100,
        ("m", "readings"): 30,
    }
    assert status.preemptions == 3


def read(store):
    return parse_live_status(store.get(keys.STATUS))


@pytest.mark.parametrize(
    ("raised", "state", "message"),
    [
        (None, "done", None),
        (RunFailedError("No engine\nwas kept up."), "failed", "No engine"),
        (KeyboardInterrupt(), "stopped", "It was interrupted."),
    ],
)
def test_the_last_status_says_how_the_run_ended(tmp_path, raised, state, message):
    store = LocalStore(tmp_path)

    def work():
        with observed(store, "r", SILENT, Watching(resume="cotfaith run x")):
            if raised is not None:
                raise raised

    if raised is None:
        work()
    else:
        with pytest.raises(type(raised)):
            work()
    status = read(store)
    assert (status.state, status.message, status.has_ended, status.resume) == (state, message, True, "cotfaith run x")
    assert status.process == this_process()


def test_a_run_that_was_told_to_stop_is_stopped_and_not_done(tmp_path):
    store = LocalStore(tmp_path)
    with observed(store, "r", SILENT, Watching()) as reporter, reporter.progress(forecast_of(tmp_path / "f")) as told:
        told.happened(RunEvent("stopping", text="--max-hours is reached."))
    assert (read(store).state, read(store).message) == ("stopped", "--max-hours is reached.")


def test_a_store_that_fails_or_hangs_ends_and_delays_no_run(tmp_path, monkeypatch):
    class Bad(LocalStore):
        def put(self, key, data):
            if self.hangs:
                held.wait()
            raise StoreError("down")

    monkeypatch.setattr("cotfaith.cluster.fleet.snapshot._CLOSE_S", 0.1)
    held = threading.Event()
    for Bad.hangs in (False, True):
        with observed(Bad(tmp_path), "r", SILENT, Watching()) as reporter:
            reporter.say("goes on")
    held.set()
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_counted_ends_the_status_once_and_not_the_run(tmp_path, snapshot, monkeypatch):
    warned = []
    publisher = Publisher(snapshot, LocalStore(tmp_path / "s"), warned.append)
    publisher.start()
    monkeypatch.setattr(snapshot, "status", lambda: 1 / 0)
    for _ in range(3):
        publisher.publish()
    publisher.close()
    assert warned == ["The live status ends, and the run goes on: division by zero"]


def test_a_driver_that_lost_its_run_leaves_the_others_status(tmp_path):
    store, other = LocalStore(tmp_path), this_process().model_copy(update={"pid": 1})
    with observed(store, "r", SILENT, Watching()):
        while store.get(keys.STATUS) is None:
            pass
        theirs = Snapshot("r", other).status().as_json()
        store.put(keys.STATUS, theirs)
    assert store.get(keys.STATUS) == theirs
