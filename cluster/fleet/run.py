"""A whole run: check the spec, plan, open the run's folder, do what is missing.

In: a spec, and a reporter that takes the run's messages. Out: the items that were quarantined; all else is in the run's
folder. Readers start when all chains are committed: their engines load again for that, and answer after the chains of
every shard. While it works it holds the run's lease. Knows nothing about the command line.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from cotfaith.cluster.fleet.capacity import check_machine
from cotfaith.cluster.fleet.costs import Costs, cost_of, kept_costs, read_costs
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, cpus_at_once, needed_by
from cotfaith.cluster.fleet.driver import run_jobs
from cotfaith.cluster.fleet.forecast import Forecast, make_forecast
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.jobs import Job, Jobs
from cotfaith.cluster.fleet.lease import Check, hold_lease
from cotfaith.cluster.fleet.observers import Watching, observed
from cotfaith.cluster.fleet.ray_session import ray_session, starts_ray
from cotfaith.cluster.fleet.repair import find_damage, say_what_was_done
from cotfaith.cluster.fleet.reporter import SILENT, Reporter
from cotfaith.cluster.fleet.sight import Sight, shown
from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import Plan, make_plan, overflow_warnings
from cotfaith.cluster.plan.prices import check_prices
from cotfaith.cluster.plan.run_record import next_run, open_run
from cotfaith.cluster.storage.ledger import Ledger, Wanted
from cotfaith.cluster.storage.read import load_run, read_given_up, read_ledger, read_quarantine
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
    run = next_run(store, plan.resolved, ident, plan.items)
    check_conditional_put(store)
    _say_what_is_known(plan, run, reporter)
    wanted = Wanted(frozenset(), quarantined=again.quarantined)
    if not again.damaged and _is_done(Jobs(plan, run, again=wanted), read_ledger(store), reporter):
        open_run(store, plan.resolved, ident, plan.items)
        return []
    for line in check_machine(plan):
        reporter.warn(f"Note: {line}")
    with hold_lease(store, reporter.say, take_over) if lease else nullcontext(_go_on) as check:
        run = open_run(store, plan.resolved, ident, plan.items)
        if again.damaged:  # first, because it moves damaged commits away
            wanted = replace(wanted, without=find_damage(store, run, reporter).lost)
        for one in read_given_up(store):  # all are tried again
            store.delete(one.key)
        ledger = read_ledger(store)
        missing = Jobs(plan, run, _quarantine(store, again.quarantined), wanted)
        watching = replace(watching or Watching(), ray_metrics=not starts_ray(plan.spec.resources.ray_address))
        with observed(store, run.run_id, reporter, watching) as seen:
            quarantined = _do_what_is_missing(missing, store, ledger, seen, check, stopping)
        if again.damaged:
            say_what_was_done(ledger, read_ledger(store), wanted.without, reporter)
        return quarantined


def _go_on() -> None:
    """Stop nothing."""


def _is_done(missing: Jobs, ledger: Ledger, reporter: Reporter) -> bool:
    """Return whether nothing is missing, and say so."""
    if missing.of_subjects(ledger) or missing.of_readers(ledger):
        return False
    _say_what_is_left(missing, ledger, (), reporter)
    return True


def _do_what_is_missing(
    missing: Jobs, store: Store, ledger: Ledger, reporter: Reporter, check: Check, stopping: Stopping
) -> list[str]:
    plan, jobs = missing.plan, missing.of_subjects(ledger)
    _say_what_is_left(missing, ledger, jobs, reporter)
    if not jobs and not missing.of_readers(ledger):
        return []
    given_up, address = GivenUp(), plan.spec.resources.ray_address
    alone, costs = starts_ray(address), _costs(plan, store, stopping)
    stopping.check()  # the run may have cost what it may cost
    with (
        kept_costs(store, costs),
        ray_session(address, _cpus(missing, jobs)),
        nullcontext() if alone else shown(plan, store) as sight,
    ):
        forecast = make_forecast(missing, jobs, ledger)
        work = _Work(plan, forecast, reporter, check, given_up, sight, stopping, costs, missing.run.run_id)
        quarantined = work.do(jobs)
        given_up.check(model.id for model in plan.spec.subjects)
        if jobs and any(probe.kind.readers for probe in plan.probes):
            ledger = read_ledger(store)  # with the chains that were just made
        quarantined += work.do(missing.of_readers(ledger))
    return quarantined


def _costs(plan: Plan, store: Store, stopping: Stopping) -> Costs:
    """Return the costs of this session; if they are limited, those of earlier ones count."""
    currency = plan.spec.resources.prices.currency
    earlier = 0.0 if stopping.max_cost is None else cost_of(read_costs(store), currency)
    return Costs(currency, stopping, earlier)


def _cpus(missing: Jobs, jobs: Sequence[Job]) -> float:
    """Return the CPUs for the engines of both stages: of the jobs, and of readers, whose jobs are not known yet."""
    readings = {Deployment(SUBJECT, reader) for _, _, reader in missing.readings()}
    return cpus_at_once(missing.plan, needed_by(missing.plan, jobs) | readings)


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


def _say_what_is_left(missing: Jobs, ledger: Ledger, jobs: Sequence[Job], reporter: Reporter) -> None:
    shards, left = len(missing.plan.shards(missing.run)), len({job.shard for job in jobs})
    reporter.say(f"{shards - left} of {shards} shards are done, {left} to do.")
    if readings := list(missing.readings()):
        left = len(missing.unread(ledger))
        reporter.say(f"{len(readings) - left} of {len(readings)} readings of their chains are done, {left} to do.")


@dataclass(frozen=True)
class _Work:
    """What the stages of a run share."""

    plan: Plan
    forecast: Forecast
    reporter: Reporter
    check: Check
    given_up: GivenUp
    sight: Sight | None
    stopping: Stopping
    costs: Costs
    run_id: str

    def do(self, jobs: Sequence[Job]) -> list[str]:
        """Do the jobs of one stage; return the items that were quarantined."""
        if not jobs:
            return []
        self.stopping.check()
        self.forecast.items = sum(len(job.items) for job in jobs)
        with self.stopping.on_signals(), self.reporter.progress(self.forecast) as progress:
            rest = (self.given_up, self.sight, self.stopping, self.costs, self.run_id)
            return run_jobs(self.plan, jobs, progress, self.check, *rest).quarantined
