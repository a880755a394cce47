"""The scheduler: shard tasks, several in flight per engine, retries. Holds no rows.

In: a plan, and its missing jobs (``jobs``): a resumed run is one with fewer jobs, not a mode. Out: how many jobs were
done, and which items were quarantined (``attempts``). Runs in the driver process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, sleep
from typing import Any

import ray

from cotfaith.cluster.fleet.attempts import Attempts, Pending
from cotfaith.cluster.fleet.deployments import SUBJECT, Needed, needed, setups
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.leaving import move_off
from cotfaith.cluster.fleet.losses import loss_text
from cotfaith.cluster.fleet.placeless import Placeless
from cotfaith.cluster.fleet.polling import UsagePoll
from cotfaith.cluster.fleet.queues import Queues
from cotfaith.cluster.fleet.replica import Replica
from cotfaith.cluster.fleet.reporter import Progress, preemptions_text
from cotfaith.cluster.fleet.shard_task import ShardReport, run_job
from cotfaith.cluster.fleet.sight import Sight, check_sight
from cotfaith.cluster.fleet.starter import Starter
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import EngineLostError, InputError, ModelSourceError, RunFailedError, StoreError
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


def run_jobs(
    plan: Plan,
    jobs: Sequence[Job],
    progress: Progress,
    check: Callable[[], None] = lambda: None,
    given_up: GivenUp | None = None,
    sight: Sight | None = None,
) -> RunOutcome:
    """Do the jobs. Each model has its own engine actors; as many models run at once as fit.

    ``check`` is called about once a second; what it raises stops the run. Jobs that need what is ``given_up`` are not
    done, and what is given up now is added to it. Each process checks ``sight`` before its first job.
    """
    pending = [Pending(job, needed(plan, job)) for job in jobs]
    return _Scheduler(plan, progress, pending, given_up or GivenUp(), sight).run(check)


class _Scheduler:
    """Dispatches until no jobs are left. It uses the engines that are up, and does not wait for the others."""

    def __init__(
        self, plan: Plan, progress: Progress, pending: Sequence[Pending], given_up: GivenUp, sight: Sight | None
    ) -> None:
        self.plan, self.sight = plan, sight
        self.progress = progress
        self.given_up = given_up
        self.usage = UsagePoll()
        self.jobs = Queues(pending)
        self.setups = setups(plan.spec, self.jobs.left.keys())
        self.pool = EnginePool(Starter(self.setups, plan.spec.plugins), progress.say, given_up=given_up)
        self.placeless = Placeless(plan.spec.resources.wait_minutes, progress.say)
        self.running: dict[Any, tuple[Pending, dict[str, Replica]]] = {}
        self.outcome = RunOutcome()
        self.lost_tasks = 0
        """Tasks whose own node was lost."""
        self.idle_since_s = monotonic()
        self.last_warning = ""
        self.store = open_store(plan.spec.output)
        self.attempts = Attempts(plan.spec.resources.attempts, self.store, plan.items, progress.say)

    def run(self, check: Callable[[], None]) -> RunOutcome:
        try:
            self._drop()
            self._open(helping=True)
            while self.jobs.left:
                check()
                if self.pool.has_places():
                    self._open(helping=False)
                self._move()
                self._dispatch()
                self._collect()
                self._drop()
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
        if move_off(self.pool, self.pool.nodes, used):
            for one, reason in self.placeless.overdue(self.pool.asked(), self.pool.nodes.stay).items():
                self.pool.give_up(one, reason)
        self.pool.yield_place(used)
        self.pool.settle()
        self.outcome.preemptions = self.pool.preemptions + self.lost_tasks
        self.progress.preempted(self.outcome.preemptions)

    def _open(self, helping: bool) -> None:
        """Start deployments: helpers get their places first, because no job can be done without them."""
        for one in self.jobs.left:
            if (one.role != SUBJECT) == helping and one not in self.pool.deployments:
                replicas = self.setups[one.model].resources.replicas
                self.pool.open(one, 1 if helping else min(replicas, self.jobs.left[one]))

    def _dispatch(self) -> None:
        for deployment, queue in self.jobs.waiting.items():
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
        return not replica.exclusive and replica.busy < (1 if pending.tries else self.plan.spec.resources.in_flight)

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
        reference = task.options(**options).remote(pending.job, remotes, self.sight)
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
        except ModelSourceError as error:  # the task's node lacks the model's tokenizer
            self._give_up(pending, loss_text(pending.needs[SUBJECT], error))
        except (InputError, StoreError) as error:
            raise getattr(error, "cause", error) from None  # the text of Ray's wrapper is a traceback
        except Exception as error:  # the task's own process died, or our code failed outside any item
            lost, crashed = partial(self._lose_task, pending, error), partial(self._retry, pending, error)
            self.pool.crashes.judge(error, None, lost, crashed)
        else:
            self.pool.say_notes(replicas[SUBJECT], report.usage.notes)
            self.pool.reset_losses(pending.needs.values())
            self.jobs.done(pending)
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
        others = self.attempts.after_lost_node(self.jobs.queue(pending), pending, error, notice)
        self.jobs.replace(pending, others)

    def _retry(self, pending: Pending, error: Exception, charged: bool = True) -> None:
        try:
            self.jobs.replace(pending, self.attempts.after(self.jobs.queue(pending), pending, error, charged))
        except RunFailedError as hopeless:
            self._give_up(pending, f"Model {pending.job.model!r}: {hopeless}")

    def _give_up(self, pending: Pending, reason: str) -> None:
        """Give up the model that answers in a job, which is dropped with its others."""
        self.pool.give_up(pending.needs[SUBJECT], reason)
        self.jobs.queue(pending).append(pending)

    def _drop(self) -> None:
        """Leave out what needs an engine that is given up, and record it."""
        if self.jobs.drop(self.plan, self.given_up):
            self.given_up.record(self.store)

    def _close(self) -> None:
        """End the deployments that no job needs, so that waiting ones get their places."""
        for one in [one for one in self.pool.deployments if not self.jobs.left[one]]:
            self.pool.close(one)

    def _warn_if_stalled(self) -> None:
        """If nothing runs, say what is missing: from here a full cluster looks the same as weights that load."""
        if self.running:
            self.idle_since_s = monotonic()
        elif self.jobs.left and monotonic() - self.idle_since_s > PATIENCE_S:
            self.idle_since_s = monotonic()
            if (line := f"Nothing has run for {PATIENCE_S:.0f} s. {self.pool.waiting()}") != self.last_warning:
                self.last_warning = line
                self.progress.say(line)


def _run_remotely(job: Job, engines: dict[str, RemoteEngine], sight: Sight | None) -> ShardReport:
    if sight is not None:
        check_sight(sight)
    return run_job(job, engines)
