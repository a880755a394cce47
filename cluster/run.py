"""The main job: check, plan, open the run, do what is missing. Knows nothing about the command line."""

from rich.console import Console

from cotfaith.cluster.driver import missing_jobs, run_jobs
from cotfaith.cluster.identity import identity, open_run
from cotfaith.cluster.plan import make_plan, overflow_warnings
from cotfaith.cluster.progress import RunProgress
from cotfaith.cluster.ray_session import ray_session
from cotfaith.cluster.store import check_conditional_put, open_store
from cotfaith.schemas.spec import RunSpec


def execute(spec: RunSpec, out: Console, err: Console) -> list[str]:
    """Do what is missing of the run that ``spec`` describes; return the shards that were given up.

    Raises:
        InputError: something about the spec is wrong; nothing was loaded or written.
        RunFailedError: no engine could be kept up; what was committed is kept.

    """
    plan = make_plan(spec)
    store = open_store(spec.output.path)
    ident = identity(spec, plan.weights, plan.item_fingerprints())
    run = open_run(store, spec, ident, {name: len(items) for name, items in plan.items.items()})
    check_conditional_put(store)
    if run["shard_size"] != spec.resources.shard_size:
        err.print(f"This run was begun with shards of {run['shard_size']} items and keeps them.")
    for line in overflow_warnings(plan):
        err.print(f"Note: {line}", markup=False, soft_wrap=True)
    jobs = missing_jobs(plan, run, store)
    total = len(plan.shards(run["shard_size"]))
    out.print(f"{total - len(jobs)} of {total} shards are done, {len(jobs)} to do.")
    if not jobs:
        return []
    with ray_session(spec.resources), RunProgress(err, sum(len(job.items) for job in jobs)) as progress:
        return run_jobs(plan, jobs, progress).given_up
