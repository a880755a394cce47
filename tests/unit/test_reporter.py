"""What a run says, and to whom: nobody by default, a reporter that is given, two consoles on the command line."""

import io
from contextlib import nullcontext

import pytest
from recorder import Recorder
from rich.console import Console

from cotfaith.cluster.cli.reporter import ConsoleReporter
from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Two shards of two items, on a stub that works in this process."""
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())

    def here(plan, jobs, progress, *_):
        for job in jobs:
            progress.finished(job.model, run_job(job, {"subject": StubEngine(plan.model(job.model))}), job.model)
        return RunOutcome(done=len(jobs))

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", here)

    def made(**changes):
        content = {
            "models": [{"id": "m", "engine": "stub"}],
            "tasks": [{"name": "t", "generator": "addition", "n": 4}],
            "probes": ["transfer"],
            "resources": {"shard_size": 2},
            "output": {"path": str(tmp_path / "run")},
        }
        return parse_spec(content | changes)

    return made


def test_a_run_says_nothing_by_default(spec, capsys):
    assert execute(spec()) == []
    assert capsys.readouterr() == ("", "")


def test_a_reporter_is_told_everything(spec):
    told = Recorder()
    execute(spec(), told)
    assert told.said == ["0 of 2 shards are done, 2 to do.", "0 of 2 readings of their chains are done, 2 to do."]
    assert told.totals == [4, 4]  # the chains, then their readings
    assert told.shards == [("m", 2)] * 4
    assert told.warned == []
    again = Recorder()
    execute(spec(resources={"shard_size": 4}), again)
    assert again.said == ["2 of 2 shards are done, 0 to do.", "2 of 2 readings of their chains are done, 0 to do."]
    assert again.warned == ["This run was begun with shards of 2 items and keeps them."]
    assert again.totals == []


def test_on_consoles_foreign_text_is_shown_as_it_reads_and_cannot_steer_the_terminal():
    out, err = io.StringIO(), io.StringIO()
    reporter = ConsoleReporter(Console(file=out, width=20), Console(file=err, width=20))
    reporter.say("[red]far \x1b[31m" + "x" * 40)
    reporter.warn("[b]note\x07[/b]")
    assert out.getvalue() == "[red]far ⟨U+001B⟩[31m" + "x" * 40 + "\n"
    assert err.getvalue() == "[b]note⟨U+0007⟩[/b]\n"
