"""The log for machines: one object of JSON a line, with ids; nothing in an error steers a terminal or ends a run."""

import io
import json
import logging

import pytest
from forecasts import forecast_of, missing_of

from cotfaith.cluster.fleet.event_log import EventLog, open_log
from cotfaith.cluster.fleet.events import RunEvent
from cotfaith.cluster.fleet.observers import Watching, observed
from cotfaith.cluster.fleet.reporter import SILENT
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunFailedError, SpecError
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.log_lines import LOGGER, MOST_TEXT


@pytest.fixture
def missing(tmp_path):
    return missing_of(tmp_path / "run")


@pytest.fixture
def job(missing):
    return missing.of_subjects(Ledger())[0]


def lines(file):
    return [json.loads(one) for one in file.getvalue().splitlines()]


def test_each_event_is_a_line_with_the_ids_that_are_known(tmp_path, job):
    file = io.StringIO()

    def work():
        with observed(LocalStore(tmp_path), "r7", SILENT, Watching(EventLog(file))) as told:
            told.warn("a note on the plan")
            with told.progress(forecast_of(tmp_path / "forecast")) as progress:
                progress.began(job, "m#1", "n0")
                progress.happened(
                    RunEvent("job_failed", job=job, attempt=1, charged=True, error="engine \x1b[31mlost\n")
                )
                progress.happened(RunEvent("engine_up", model="m", engine="m#1", seconds=1.23456))
            raise RunFailedError("No engine was kept up.")

    with pytest.raises(RunFailedError):
        work()
    found = lines(file)
    assert [one["event"] for one in found] == [
        "run_began", "warning", "job_began", "job_failed", "engine_up", "run_ended"
    ]  # fmt: skip
    assert {one["run_id"] for one in found} == {"r7"}
    assert [one["level"] for one in found] == ["info", "warning", "info", "warning", "info", "info"]
    ids = {"model": "m", "task": "t", "shard": "m/t/0000000-0000002", "items": 2}
    assert ids.items() <= found[2].items()
    assert (found[2]["first_item"], found[2]["last_item"]) == (job.items[0].id, job.items[1].id)
    assert (found[2]["engine"], found[2]["node"]) == ("m#1", "n0")
    assert (found[3]["attempt"], found[3]["charged"], found[3]["error"]) == (1, True, "engine \x1b[31mlost\n")
    assert found[4]["seconds"] == 1.235
    assert (found[5]["text"], found[5]["error"]) == ("failed", "No engine was kept up.")
    assert all("reader" not in one for one in found)  # what is not known is left out
    assert file.getvalue().isascii()
    assert "\x1b" not in file.getvalue()


def test_a_long_text_is_cut():
    file = io.StringIO()
    EventLog(file).say("x" * 10 * MOST_TEXT)
    assert lines(file)[0]["text"] == "x" * MOST_TEXT + "..."


def test_a_disk_that_is_full_ends_the_log_and_not_the_run():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError("no space left")

    log = EventLog(Full())
    log.begin("r")
    log.say("goes on")


def test_a_file_is_added_to_and_one_that_cannot_be_opened_is_refused(tmp_path):
    file = tmp_path / "log.jsonl"
    for name in ("a", "b"):
        open_log(str(file), io.StringIO()).begin(name)
    assert [json.loads(one)["run_id"] for one in file.read_text().splitlines()] == ["a", "b"]
    with pytest.raises(SpecError, match=r"^--log: .*/nowhere/log cannot be written: No such file"):
        open_log(str(tmp_path / "nowhere" / "log"), io.StringIO())
    err = io.StringIO()
    open_log("-", err).begin("c")
    assert lines(err)[0]["run_id"] == "c"


@pytest.fixture
def logged(monkeypatch):
    """What the logger of worker processes gets."""
    kept = io.StringIO()
    monkeypatch.setattr(LOGGER, "handlers", [logging.StreamHandler(kept)])
    monkeypatch.setattr(LOGGER, "propagate", False)
    monkeypatch.setattr(LOGGER, "level", logging.INFO)
    LOGGER.manager._clear_cache()
    yield kept
    LOGGER.manager._clear_cache()


def test_a_shard_task_logs_its_job_and_its_commits_in_its_process(missing, job, logged):
    run_job(job, {"subject": StubEngine(missing.plan.model("m"))})
    found = lines(logged)
    assert [one["event"] for one in found] == ["job_began", "part_committed", "part_committed", "job_done"]
    assert {one["shard"] for one in found} == {job.shard.id}
    assert {one["run_id"] for one in found} == {job.run_id}
    assert found[1]["key"] == f"_commits/{job.shard.id}/00000.json"


def test_a_shard_task_that_fails_logs_why(missing, job, logged, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("cotfaith.cluster.fleet.shard_task.sample_chains", fail)
    with pytest.raises(ZeroDivisionError):
        run_job(job, {"subject": StubEngine(missing.plan.model("m"))})
    last = lines(logged)[-1]
    assert (last["event"], last["level"], last["error"]) == ("job_failed", "error", "ZeroDivisionError('ours')")
