"""A whole run: check the spec, plan, open the run's folder, do what is missing.

In: a spec, and a reporter that takes what the run says. Out: the shards that were given up; all else is in the run's
folder. Readers come when all chains are there: their engines load once more for that, and answer after every shard's
chains. Knows nothing about the command line.
"""

from collections.abc import Sequence
from typing import Any

from cotfaith.cluster.fleet.driver import actors_at_once, run_jobs
from cotfaith.cluster.fleet.jobs import Job, all_readings, missing_jobs, missing_readings
from cotfaith.cluster.fleet.ray_session import ray_session
from cotfaith.cluster.fleet.reporter import SILENT, Reporter
from cotfaith.cluster.plan.identity import identity, open_run
from cotfaith.cluster.plan.plan import Plan, make_plan, overflow_warnings
from cotfaith.cluster.storage.read import committed_keys, load_run
from cotfaith.cluster.storage.store import Store, check_conditional_put, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.tables import SCHEMA_VERSION


def execute(spec: RunSpec, reporter: Reporter = SILENT) -> list[str]:
    """Do what is missing of the run that ``spec`` describes; return the shards that were given up.

    Raises:
        InputError: something about the spec is wrong; nothing was loaded or written.
        RunFailedError: no engine could be kept up; what was committed is kept.

    """
    plan = make_plan(spec)
    store = open_store(spec.output.path)
    _check_version(plan, load_run(store), store)
    ident = identity(spec, plan.weights, plan.item_fingerprints(), plan.templates)
    run = open_run(store, spec, ident, {name: len(items) for name, items in plan.items.items()}, plan.date)
    check_conditional_put(store)
    if run["shard_size"] != spec.resources.shard_size:
        reporter.warn(f"This run was begun with shards of {run['shard_size']} items and keeps them.")
    for line in (*plan.notes, *overflow_warnings(plan)):
        reporter.warn(f"Note: {line}")
    jobs = missing_jobs(plan, run, store)
    _say_what_is_left(plan, run, store, jobs, reporter)
    if not jobs and not missing_readings(plan, run, store):
        return []
    with ray_session(spec.resources, actors_at_once(plan, jobs)):
        given_up = _do(plan, jobs, reporter)
        return given_up + _do(plan, missing_readings(plan, run, store), reporter)


def _check_version(plan: Plan, run: dict[str, Any] | None, store: Store) -> None:
    """Raise ``RunConflictError`` if rows would be added to a run that an older cotfaith began."""
    if run is None or run.get("schema_version", 1) >= SCHEMA_VERSION:
        return
    if missing_jobs(plan, run, store) or missing_readings(plan, run, store):
        raise RunConflictError(
            f"{plan.spec.output.path} holds a run that an older cotfaith began and did not end. This one writes "
            "prompts and reads answers in other ways: rows of both would not compare. Use another output.path. What is "
            "committed can still be aggregated and reported."
        )


def _say_what_is_left(plan: Plan, run: dict[str, Any], store: Store, jobs: Sequence[Job], reporter: Reporter) -> None:
    shards = len(plan.shards(run["shard_size"]))
    reporter.say(f"{shards - len(jobs)} of {shards} shards are done, {len(jobs)} to do.")
    readings = [keys.commit(shard.id, probe, reader) for shard, probe, reader in all_readings(plan, run)]
    if readings:
        left = len(set(readings) - committed_keys(store))
        reporter.say(f"{len(readings) - left} of {len(readings)} readings of their chains are done, {left} to do.")


def _do(plan: Plan, jobs: Sequence[Job], reporter: Reporter) -> list[str]:
    if not jobs:
        return []
    with reporter.progress(sum(len(job.items) for job in jobs)) as progress:
        return run_jobs(plan, jobs, progress).given_up
