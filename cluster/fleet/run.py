"""A whole run: check the spec, plan, open the run's folder, do what is missing.

In: a spec, and a reporter that takes the run's messages. Out: the shards that were given up; all else is in the run's
folder. Readers start when all chains are committed: their engines load again for that, and answer after the chains of
every shard. Knows nothing about the command line.
"""

from collections.abc import Sequence, Set

from cotfaith.cluster.fleet.driver import actors_at_once, run_jobs
from cotfaith.cluster.fleet.jobs import Job, all_readings, missing_jobs, missing_readings
from cotfaith.cluster.fleet.ray_session import ray_session
from cotfaith.cluster.fleet.reporter import SILENT, Reporter
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import Plan, make_plan, overflow_warnings
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.read import committed_keys, load_run
from cotfaith.cluster.storage.store import Store, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.tables import SCHEMA_VERSION


def execute(spec: RunSpec, reporter: Reporter = SILENT) -> list[str]:
    """Do the missing parts of the run that ``spec`` describes; return the shards that were given up.

    Raises:
        InputError: something about the spec is wrong; nothing was loaded or written.
        StoreError: the folder cannot be written, or its store ignores conditional puts.
        RunFailedError: an engine could not be kept up; what was committed is kept.

    """
    plan = make_plan(spec)
    store = open_store(spec.output.path)
    _check_version(plan, load_run(store), store)
    ident = identity(plan.resolved, plan.weights, plan.item_fingerprints(), plan.templates)
    run = open_run(store, plan.resolved, ident, plan.item_counts())
    _say_what_is_known(plan, run, reporter)
    committed = committed_keys(store)
    jobs = missing_jobs(plan, run, committed)
    _say_what_is_left(plan, run, committed, jobs, reporter)
    if not jobs and not missing_readings(plan, run, committed):
        return []
    with ray_session(spec.resources, actors_at_once(plan, jobs)):
        given_up = _do(plan, jobs, reporter)
        if jobs and any(probe.readers for probe in plan.probes):
            committed = committed_keys(store)  # with the chains that were just made
        return given_up + _do(plan, missing_readings(plan, run, committed), reporter)


def _check_version(plan: Plan, run: RunRecord | None, store: Store) -> None:
    """Raise ``RunConflictError`` if rows would be added to a run that an older cotfaith began."""
    if run is None or run.schema_version >= SCHEMA_VERSION:
        return
    committed = committed_keys(store)
    if missing_jobs(plan, run, committed) or missing_readings(plan, run, committed):
        raise RunConflictError(
            f"{plan.spec.output.path} holds a run of an older cotfaith that lacks rows of this spec. This cotfaith "
            "writes prompts and reads answers in other ways: rows of the two are not comparable. Use another "
            "output.path. What is committed can still be aggregated, reported and validated."
        )


def _say_what_is_known(plan: Plan, run: RunRecord, reporter: Reporter) -> None:
    if run.shard_size != plan.spec.resources.shard_size:
        reporter.warn(f"This run was begun with shards of {run.shard_size} items and keeps them.")
    for line in (*plan.notes, *overflow_warnings(plan)):
        reporter.warn(f"Note: {line}")


def _say_what_is_left(plan: Plan, run: RunRecord, committed: Set[str], jobs: Sequence[Job], reporter: Reporter) -> None:
    shards = len(plan.shards(run.shard_size))
    reporter.say(f"{shards - len(jobs)} of {shards} shards are done, {len(jobs)} to do.")
    readings = [keys.commit(shard.id, probe, reader) for shard, probe, reader in all_readings(plan, run)]
    if readings:
        left = len(set(readings) - committed)
        reporter.say(f"{len(readings) - left} of {len(readings)} readings of their chains are done, {left} to do.")


def _do(plan: Plan, jobs: Sequence[Job], reporter: Reporter) -> list[str]:
    if not jobs:
        return []
    with reporter.progress(sum(len(job.items) for job in jobs)) as progress:
        return run_jobs(plan, jobs, progress).given_up
