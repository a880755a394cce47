"""Whole runs of stub models in this process, without Ray."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.fleet.stage_jobs import StageJobs
from cotfaith.workers.engines.stub.engine import StubEngine


def run_here(plan, jobs, progress, *_):
    """Do the jobs one after another, in place of ``run_jobs``."""
    for job in jobs:
        run_job(job, {"subject": StubEngine(plan.model(job.model))})
    return RunOutcome(done=len(jobs))


def without_ray(monkeypatch):
    """Make ``execute`` run its jobs in this process."""
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", run_here)


def begin_only(monkeypatch):
    """Make ``execute`` begin or widen a run, and do nothing of it."""
    monkeypatch.setattr("cotfaith.cluster.fleet.lacking.FromStates.subjects", lambda _: StageJobs())
    monkeypatch.setattr("cotfaith.cluster.fleet.lacking.FromStates.readers", lambda _: StageJobs())


def finish(folder, spec):
    """Do the whole run of ``spec``, whose output is below ``folder``; return ``folder``."""
    from cotfaith.cluster.fleet.run import execute
    from cotfaith.cluster.plan.spec_file import load_spec

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        without_ray(monkeypatch)
        Path("spec.yaml").write_text(yaml.safe_dump(spec))
        assert execute(load_spec(Path("spec.yaml"))) == []
    return folder


def copy_of(finished, folder, monkeypatch):
    """Copy what ``finish`` made into ``folder``, which becomes the working directory; return the run's folder there."""
    shutil.copytree(finished, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    without_ray(monkeypatch)
    return folder / "run"
