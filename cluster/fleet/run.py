"""A whole run: check the spec, plan, open the run's folder, do what is missing.

In: a spec, and a reporter that takes the run's messages. Out: the items that were quarantined; all else is in the run's
folder. Readers start when all chains are committed: their engines load again for that, and answer after the chains of
every shard. While it works it holds the run's lease. Knows nothing about the command line.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cotfaith.cluster.fleet.capacity import check_machine
from cotfaith.cluster.fleet.costs import Costs, cost_of, kept_costs, read_costs
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, cpus_at_once, needed_for
from cotfaith.cluster.fleet.driver import run_jobs
from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.job_size import JobSizes
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.lacking import FromCommits, FromStates, Lacking
from cotfaith.cluster.fleet.lease import Check, hold_lease
from cotfaith.cluster.fleet.observers import Watching, observed
from cotfaith.cluster.fleet.queues import Divide
from cotfaith.cluster.fleet.ray_session import ray_session, starts_ray
from cotfaith.cluster.fleet.repair import find_damage, say_what_was_done
from cotfaith.cluster.fleet.reporter import SILENT, Progress, Reporter
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.fleet.sight import Sight, shown
from cotfaith.cluster.fleet.stage_jobs import ModelJobs, StageJobs
from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import Plan, make_plan, overflow_warnings
from cotfaith.cluster.plan.prices import check_prices
from cotfaith.cluster.plan.run_record import next_run, open_run
from cotfaith.cluster.storage.ledger import Wanted
from cotfaith.cluster.storage.read import load_run, read_given_up, read_ledger, read_quarantine
from cotfaith.cluster.storage.run_states import has_untouched
from cotfaith.cluster.storage.segments import forget
from cotfaith.cluster.storage.store import Store, check_conditional_put, open_store
from cotfaith.cluster.terminal import first_lines
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import Quarantined, RunRecord
from cotfaith.schemas.spec import RunSpec

MOST_NOTES = 10
"""The most notes on a plan that a run repeats."""


@dataclass(frozen=True)
class Again:
    """What is done anew, besides what is missing."""

    damaged: bool = False
    """Check all parts, and do again what those that are damaged held."""
    quarantined: bool = False
    """Try the quarantined items again."""


def execute(
    spec: RunSpec,
    reporter: Reporter = SILENT,
    again: Again | None = None,
    *,
    take_over: bool = False,
    lease: bool = True,
    stopping: Stopping | None = None,
    watching: Watching | None = None,
) -> list[str]:
    """Do the missing parts of the run that ``spec`` describes; return the items that were quarantined in doing so.

    Args:
        spec: the run.
        reporter: takes messages and progress.
        again: what is done anew.
        take_over: whether to take the run over from another driver, which then stops.
        lease: False for tests: without it, drivers on one run do work twice, and the rows are the same.
        stopping: the limits of this session, and who may ask it to stop.
        watching: how the run is followed, besides by the reporter.

    Raises:
        InputError: something about the spec is wrong, and nothing was loaded or written; or another driver works on
            the run, and nothing was done.
        StoreError: the folder cannot be written, or its store ignores conditional puts.
        RunFailedError: no subject's engine could be kept up, or another driver took the run over; what was committed is
            kept. Models that are given up while others go on are recorded in the folder.
        RunStoppedError: it was asked to stop before its end; what was committed is kept.

    """
    stopping = stopping or Stopping()
    if stopping.max_cost is not None:
        check_prices(spec)
    plan = make_plan(spec)
    store, again = open_store(spec.output), again or Again()
    ident = identity(plan.resolved, plan.weights, plan.templates, plan.items)
    _check_version(plan, load_run(store), store)
    run = next_run(store, plan.resolved, ident, plan.items, plan.depths)
    check_conditional_put(store)
    _say_what_is_known(plan, run, reporter)
    wanted = Wanted(frozenset(), quarantined=again.quarantined)
    surely_lacks = again.damaged or has_untouched(store, run, plan.groups)
    if not surely_lacks and _is_done(_lacking(Jobs(plan, run, again=wanted), store), reporter):
        open_run(store, plan.resolved, ident, plan.items, plan.depths)
        return []
    for line in check_machine(plan):
        reporter.warn(f"Note: {line}")
    with hold_lease(store, reporter.say, take_over) if lease else nullcontext(_go_on) as check:
        run = open_run(store, plan.resolved, ident, plan.items, plan.depths)
        if again.damaged:  # first, because it moves damaged commits away
            forget(store)
            wanted = replace(wanted, without=find_damage(store, run, reporter).lost)
        for one in read_given_up(store):  # all are tried again
            store.delete(one.key)
        missing = Jobs(plan, run, _quarantine(store, again.quarantined), wanted)
        lacking = _lacking(missing, store, again.damaged)
        watching = replace(watching or Watching(), ray_metrics=not starts_ray(plan.spec.resources.ray_address))
        with observed(store, run.run_id, reporter, watching) as seen:
            quarantined = _do_what_is_missing(lacking, store, seen, check, stopping)
        if isinstance(lacking, FromCommits) and again.damaged:
            say_what_was_done(lacking.ledger, read_ledger(store), wanted.without, reporter)
        return quarantined


def _lacking(missing: Jobs, store: Store, whole: bool = False) -> Lacking:
    """Return what a run lacks; ``whole``: from all its commits, as always for an old run."""
    if whole or missing.run.schema_version < FIRST_PRESENT:
        return FromCommits(missing, store)
    return FromStates(missing, store)


def _go_on() -> None:
    """Stop nothing."""


def _is_done(lacking: Lacking, reporter: Reporter) -> bool:
    """Return whether nothing is missing, and say so."""
    jobs = lacking.subjects()
    found = not jobs and not lacking.readers()
    if found:
        _say_what_is_left(lacking, jobs, reporter)
    lacking.close()
    return found


def _do_what_is_missing(
    lacking: Lacking, store: Store, reporter: Reporter, check: Check, stopping: Stopping
) -> list[str]:
    try:
        return _do_stages(lacking, store, reporter, check, stopping)
    finally:
        lacking.close()


def _do_stages(lacking: Lacking, store: Store, reporter: Reporter, check: Check, stopping: Stopping) -> list[str]:
    plan, jobs = lacking.jobs.plan, lacking.subjects()
    _say_what_is_left(lacking, jobs, reporter)
    if not jobs and not lacking.readers():
        return []
    given_up, address = GivenUp(), plan.spec.resources.ray_address
    alone, costs = starts_ray(address), _costs(plan, store, stopping)
    stopping.check()  # the run may have cost what it may cost
    with (
        kept_costs(store, costs),
        ray_session(address, _cpus(lacking, jobs)),
        nullcontext() if alone else shown(plan, store) as sight,
    ):
        forecast, run_id = lacking.forecast(jobs), lacking.jobs.run.run_id
        work = _Work(plan, lacking, forecast, reporter, check, given_up, sight, stopping, costs, run_id)
        quarantined = work.do(jobs)
        given_up.check(model.id for model in plan.spec.subjects)
        if any(probe.kind.readers for probe in plan.probes):
            quarantined += work.do(lacking.readers())  # on the chains that were just made, too
    return quarantined


def _costs(plan: Plan, store: Store, stopping: Stopping) -> Costs:
    """Return the costs of this session; if they are limited, those of earlier ones count."""
    currency = plan.spec.resources.prices.currency
    earlier = 0.0 if stopping.max_cost is None else cost_of(read_costs(store), currency)
    return Costs(currency, stopping, earlier)


def _cpus(lacking: Lacking, jobs: StageJobs) -> float:
    """Return the CPUs for the engines of both stages: of the jobs, and of readers, whose jobs are not known yet."""
    plan = lacking.jobs.plan
    readings = {Deployment(SUBJECT, one.reader) for one in lacking.jobs.reading_groups()}
    return cpus_at_once(plan, {one for own in jobs.models for one in _needed(plan, own)} | readings)


def _needed(plan: Plan, own: ModelJobs) -> Iterable[Deployment]:
    return needed_for(plan, own.model, [probe for probe in plan.probes if probe.name in own.probes]).values()


def _quarantine(store: Store, emptied: bool) -> list[Quarantined]:
    """Return the records of quarantined items; if it is ``emptied``, delete them."""
    found = read_quarantine(store)
    if not emptied:
        return found
    for one in found:
        store.delete(one.key)
    return []


def _check_version(plan: Plan, run: RunRecord | None, store: Store) -> None:
    """Raise ``RunConflictError`` if rows would be added to a run that an older cotfaith began."""
    if run is None or run.schema_version >= FIRST_PRESENT:
        return
    missing, ledger = Jobs(plan, run), read_ledger(store, run)
    if missing.lack_items() or missing.of_subjects(ledger) or missing.of_readers(ledger):
        raise RunConflictError(
            f"{plan.spec.output.path} holds a run of an older cotfaith that lacks rows of this spec. This cotfaith "
            "writes prompts, reads answers or stores rows in other ways: rows of the two are not comparable. Use "
            "another output.path. What is committed can still be aggregated, reported and validated."
        )


def _say_what_is_known(plan: Plan, run: RunRecord, reporter: Reporter) -> None:
    sizes = {one.shard_size for found in run.ranges.values() for one in found} - {plan.spec.resources.shard_size}
    if sizes:
        reporter.warn(f"This run was begun with shards of {_listed(sizes)} items and keeps them.")
    known = [*plan.notes, *overflow_warnings(plan)]
    for line in first_lines(known, "more: cotfaith plan SPEC --details", MOST_NOTES):
        reporter.warn(f"Note: {line}")


def _listed(numbers: set[int]) -> str:
    return " and ".join(map(str, sorted(numbers)))


def _say_what_is_left(lacking: Lacking, jobs: StageJobs, reporter: Reporter) -> None:
    shards, readings = lacking.counted(jobs)
    reporter.say(f"{shards.total - shards.left} of {shards.total} shards are done, {shards.left} to do.")
    if readings.total:
        done = readings.total - readings.left
        reporter.say(f"{done} of {readings.total} readings of their chains are done, {readings.left} to do.")


@dataclass(frozen=True)
class _Work:
    """What the stages of a run share."""

    plan: Plan
    lacking: Lacking
    forecast: Forecast
    reporter: Reporter
    check: Check
    given_up: GivenUp
    sight: Sight | None
    stopping: Stopping
    costs: Costs
    run_id: str

    def do(self, jobs: StageJobs) -> list[str]:
        """Do the jobs of one stage; return the items that were quarantined."""
        if not jobs:
            return []
        self.stopping.check()
        self.forecast.items = jobs.items
        with self.stopping.on_signals(), self.reporter.progress(self.forecast) as progress:
            told: Any = _Told(progress, self.lacking)
            rest = (self.given_up, self.sight, self.stopping, self.costs, self.run_id, self._divide)
            return run_jobs(self.plan, jobs, told, self.check, *rest).quarantined

    @cached_property
    def _divide(self) -> Divide:
        """What divides jobs that take too many tokens, by the chains' lengths as they are known by then."""
        sizes, lengths = JobSizes(self.plan, self.forecast.per_item), self.forecast.lengths
        return lambda job: sizes.parts(job, lengths.mean(job.model, job.shard.task))


class _Told:
    """A ``Progress`` that also tells what is committed."""

    def __init__(self, progress: Progress, lacking: Lacking) -> None:
        self._progress, self._lacking = progress, lacking

    def __getattr__(self, name: str) -> Any:
        return getattr(self._progress, name)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        """Take a finished shard."""
        self._lacking.finished(report)
        self._progress.finished(model, report, engine)
