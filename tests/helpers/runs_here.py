"""Whole runs of stub models in this process, without Ray."""

from contextlib import nullcontext

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.shard_task import run_job
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
    monkeypatch.setattr("cotfaith.cluster.fleet.run.Jobs.of_subjects", lambda *_: [])
    monkeypatch.setattr("cotfaith.cluster.fleet.run.Jobs.of_readers", lambda *_: [])
