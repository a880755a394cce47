"""The scheduler: shard tasks, several in flight per engine, retries. Holds no rows.

In: a plan, and its missing jobs (``jobs``): a resumed run is one with fewer jobs, not a mode. Out: how many jobs were
done, and which items were quarantined (``attempts``). Runs in the driver process.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, sleep
from typing import Any

import ray

from cotfaith.cluster.fleet.attempts import Attempts, Needed, Pending
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.leaving import move_off
from cotfaith.cluster.fleet.polling import UsagePoll
from cotfaith.cluster.fleet.ray_session import engine_share
from cotfaith.cluster.fleet.replica import SUBJECT, Deployment, Replica
from cotfaith.cluster.fleet.reporter import Progress, preemptions_text
from cotfaith.cluster.fleet.shard_task import ShardReport, run_job
from cotfaith.cluster.fleet.starter import Starter
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.roles import helpers
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import EngineLostError, InputError, StoreError
from cotfaith.workers.actor.remote import RemoteEngine

_POLL_S = 1.0
PATIENCE_S = 60.0
"""Seconds without a running job, before the scheduler says what it waits for."""


@dataclass
class RunOutcome:
    """The outcome of a run's jobs."""

    done: int = 0
    quarantined: list[str] = field(default_factory=list)
    """Items that failed every attempt, each with its error."""
    preemptions: int = 0
    """Engines and tasks that ended, or moved, because their node was taken away. They count as no failure."""


def actors_at_once(plan: Plan, jobs: Sequence[Job]) -> int:
    """Return how many engine actors need a place at the same time: one subject's replicas, and all helpers."""
    return plan.spec.resources.replicas + _count_helpers(one for job in jobs for one in _needed(plan, job).values())


def _count_helpers(deployments: Iterable[Deployment]) -> int:
    return sum(one.role != SUBJECT for one in set(deployments))


def _needed(plan: Plan, job: Job) -> Needed:
    """Return the deployments that a job needs; a model that helps with its own chains uses the engine that answers."""
    answers = plan.model(job.model)
    probes = [probe for probe in plan.probes if probe.name in job.probes]
    helping = helpers(plan.spec, answers, probes)
    found = {role: Deployment(SUBJECT if model.id == answers.id else role, model.id) for role, model in helping.items()}
    return {SUBJECT: Deployment(SUBJECT, answers.id), **found}


def run_jobs(
    plan: Plan, jobs: Sequence[Job], progress: Progress, check: Callable[[], None] = lambda: None
) -> RunOutcome:
    """Do the jobs. Each model has its own engine actors; as many models run at once as fit.

    ``check`` is called about once a second; what it raises stops the run.
    """
    return _Scheduler(plan, progress, [Pending(job, _needed(plan, job)) for job in jobs]).run(check)


class _Scheduler:
    """Dispatches until no jobs are left. It uses the engines that are up, and does not wait for the others."""

    def __init__(self, plan: Plan, progress: Progress, pending: Sequence[Pending]) -> None:
        self.resources = plan.spec.resources
        self.progress = progress
        self.usage = UsagePoll()
        self.queues: dict[Deployment, deque[Pending]] = {}
        for one in pending:
            self.queues.setdefault(one.needs[SUBJECT], deque()).append(one)
        self.left = Counter(deployment for one in pending for deployment in one.needs.values())
        """Jobs that still need a deployment, waiting or running."""
        share = engine_share(self.resources, self.resources.replicas + _count_helpers(self.left))
        models = {name: model.spec for name, model in plan.models.items()}
        self.pool = EnginePool(Starter(self.resources, share, models, plan.spec.plugins), progress.say)
        self.running: dict[Any, tuple[Pending, dict[str, Replica]]] = {}
        self.outcome = RunOutcome()
        self.lost_tasks = 0
        """Tasks whose own node was lost."""
        self.idle_since_s = monotonic()
        self.last_warning = ""
        self.attempts = Attempts(self.resources.attempts, open_store(plan.spec.output), plan.items, progress.say)

    def run(self, check: Callable[[], None]) -> RunOutcome:
        try:
            self._open(helping=True)
            while self.left:
                check()
                if self.pool.has_places():
                    self._open(helping=False)
                self._move()
                self._dispatch()
                self._collect()
                self._close()
                self._warn_if_stalled()
        finally:
            self.pool.close_all()  # this also ends the tasks; cancelling them sometimes makes Ray abort
        if self.outcome.preemptions:
            self.progress.say(f"{preemptions_text(self.outcome.preemptions)}; what they ended was done again.")
        self.outcome.quarantined = self.attempts.quarantined
        return self.outcome

    def _move(self) -> None:
        """Move engines off the nodes that will leave, and start those that are missing."""
        used = {replica for _, replicas in self.running.values() for replica in replicas.values()}
        move_off(self.pool, self.pool.nodes, used)
        self.pool.yield_place(used)
        self.pool.settle()
        self.outcome.preemptions = self.pool.preemptions + self.lost_tasks
        self.progress.preempted(self.outcome.preemptions)

    def _open(self, helping: bool) -> None:
        """Start deployments: helpers get their places first, because no job can be done without them."""
        for one in self.left:
            if (one.role != SUBJECT) == helping and one not in self.pool.deployments:
                self.pool.open(one, 1 if helping else min(self.resources.replicas, self.left[one]))

    def _dispatch(self) -> None:
        for deployment, queue in self.queues.items():
            for replica in self.pool.up(deployment):
                while queue and self._has_room(replica, queue[0]):
                    replicas = self._replicas(queue[0].needs, replica)
                    if replicas is None:
                        break
                    self._submit(queue.popleft(), replicas)

    def _has_room(self, replica: Replica, pending: Pending) -> bool:
        """Return whether the replica can take the job. A job that failed before runs alone on its replica.

        When an engine is lost, nothing shows which of its tasks was the cause. A job that runs alone costs no other
        job an attempt.
        """
        return not replica.exclusive and replica.busy < (1 if pending.tries else self.resources.in_flight)

    def _replicas(self, needs: Needed, answers: Replica) -> dict[str, Replica] | None:
        """Return the replica for each role, or None while a helper is not up."""
        found = {
            role: answers if one == answers.deployment else next(iter(self.pool.up(one)), None)
            for role, one in needs.items()
        }
        replicas = {role: replica for role, replica in found.items() if replica is not None}
        return replicas if len(replicas) == len(needs) else None

    def _submit(self, pending: Pending, replicas: dict[str, Replica]) -> None:
        task: Any = ray.remote(_run_remotely)
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        remotes = {role: replica.remote() for role, replica in replicas.items()}
        reference = task.options(**options).remote(pending.job, remotes)
        replicas[SUBJECT].busy += 1
        replicas[SUBJECT].exclusive = pending.tries > 0
        self.running[reference] = (pending, replicas)
        self.progress.began(pending.job)

    def _collect(self) -> None:
        loading = self.pool.loading()
        if not self.running and not loading:
            sleep(_POLL_S)  # a helper's place is not there yet, or a verdict is not
        ready, _ = ray.wait([*self.running, *loading], num_returns=1, timeout=_POLL_S)
        for reference in ready:
            if reference in loading:
                self.pool.mark_ready(loading[reference])
            else:
                self._finish(reference)
        up = {one.name: one for one in self.pool.all_up()}
        for name, usage in self.usage.answers({name: one.actor for name, one in up.items()}).items():
            self.progress.used(name, usage)
            if name in up:
                self.pool.say_notes(up[name], usage.notes)
        self.progress.tick()

    def _finish(self, reference: Any) -> None:
        pending, replicas = self.running.pop(reference)
        self.progress.ended(pending.job)
        replicas[SUBJECT].busy -= 1
        replicas[SUBJECT].exclusive = False
        try:
            report: ShardReport = ray.get(reference)
        except EngineLostError as error:
            cause = getattr(error, "cause", error)  # Ray's wrapper of the error lacks the role
            self._lose_engine(pending, replicas[cause.role], error)
        except (InputError, StoreError) as error:
            raise getattr(error, "cause", error) from None  # the text of Ray's wrapper is a traceback
        except Exception as error:  # the task's own process died, or our code failed outside any item
            lost, crashed = partial(self._lose_task, pending, error), partial(self._retry, pending, error)
            self.pool.crashes.judge(error, None, lost, crashed)
        else:
            self.pool.say_notes(replicas[SUBJECT], report.usage.notes)
            self.pool.reset_losses(pending.needs.values())
            self.left -= Counter(pending.needs.values())
            self.outcome.done += 1
            self.attempts.done(pending)
            self.progress.finished(pending.job.model, report, replicas[SUBJECT].name)

    def _lose_engine(self, pending: Pending, engine: Replica, error: Exception) -> None:
        """Replace the engine; its job waits for the verdict.

        Of several tasks on a lost engine, only the first to report is charged with an attempt.
        """
        lost = partial(self._lose_node, pending, engine, error)
        self.pool.judge(engine, error, lost, partial(self._retry, pending, error, charged=self.pool.has(engine)))
        self.pool.replace(engine, error)

    def _lose_node(self, pending: Pending, engine: Replica, error: Exception) -> None:
        notice = engine.leaving or self.pool.nodes.had_notice(engine.node, error)
        self._do_again(pending, error, notice)

    def _lose_task(self, pending: Pending, error: Exception) -> None:
        self.lost_tasks += 1
        self._do_again(pending, error, notice=False)

    def _do_again(self, pending: Pending, error: Exception, notice: bool) -> None:
        queue = self.queues[pending.needs[SUBJECT]]
        self._replace(pending, self.attempts.after_lost_node(queue, pending, error, notice))

    def _retry(self, pending: Pending, error: Exception, charged: bool = True) -> None:
        queue = self.queues[pending.needs[SUBJECT]]
        self._replace(pending, self.attempts.after(queue, pending, error, charged))

    def _replace(self, pending: Pending, others: Sequence[Pending]) -> None:
        """Count the jobs that take the place of one."""
        self.left += Counter(one for new in others for one in new.needs.values())
        self.left -= Counter(pending.needs.values())

    def _close(self) -> None:
        """End the deployments that no job needs, so that waiting ones get their places."""
        for one in [one for one in self.pool.deployments if not self.left[one]]:
            self.pool.close(one)

    def _warn_if_stalled(self) -> None:
        """If nothing runs, say what is missing: from here a full cluster looks the same as weights that load."""
        if self.running:
            self.idle_since_s = monotonic()
        elif self.left and monotonic() - self.idle_since_s > PATIENCE_S:
            self.idle_since_s = monotonic()
            if (line := f"Nothing has run for {PATIENCE_S:.0f} s. {self.pool.waiting()}") != self.last_warning:
                self.last_warning = line
                self.progress.say(line)


def _run_remotely(job: Job, engines: dict[str, RemoteEngine]) -> ShardReport:
    return run_job(job, engines)
