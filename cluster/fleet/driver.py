"""The scheduler: jobs, several in flight per engine, retries. Holds no rows, and makes a job when its turn comes.

In: a plan, and its missing jobs (``jobs``): a resumed run is one with fewer jobs, not a mode. Out: how many jobs were
done, and which items were quarantined (``attempts``). Runs in the driver process, on any ``Backend``.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from ray.exceptions import OutOfMemoryError, RayActorError

from cotfaith.cluster.fleet.attempts import Attempts, Pending
from cotfaith.cluster.fleet.backend import Backend, CameUp, Ended, Event
from cotfaith.cluster.fleet.costs import Costs
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, Needed, setups
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.events import RunEvent
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.leaving import move_off
from cotfaith.cluster.fleet.losses import loss_text
from cotfaith.cluster.fleet.noise_floors import NoiseFloors
from cotfaith.cluster.fleet.placeless import Placeless
from cotfaith.cluster.fleet.polls import Polls
from cotfaith.cluster.fleet.queues import Divide, Queue, Queues, whole
from cotfaith.cluster.fleet.ray_backend import RayBackend
from cotfaith.cluster.fleet.replica import Replica
from cotfaith.cluster.fleet.reporter import Progress, preemptions_text
from cotfaith.cluster.fleet.rooms import Rooms
from cotfaith.cluster.fleet.sight import Sight
from cotfaith.cluster.fleet.stage_jobs import ModelJobs, StageJobs, listed
from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.cluster.fleet.stragglers import Attempt, Times
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.storage.store import Store, open_store
from cotfaith.schemas.errors import EngineLostError, InputError, ModelSourceError, RunFailedError, StoreError
from cotfaith.workers.engines.protocol import Capabilities

_POLL_S = 1.0
_SHOWN_SHARE = 0.05
"""The most of the driver's time that showing its progress may take: else that is done less often than each second."""
PATIENCE_S = 60.0
"""Seconds without a running job, before the scheduler says what it waits for."""
MOST_BYTES = 512 * 2**20
"""The bytes of jobs that are on their way to engines: more wait here."""
_HELD_S = 30.0
"""How long an engine gets no job after the store failed one of it: the way from its node may be broken."""
IDLE_S = 60.0
"""How long an engine may be idle, while no job waits, before it is ended. Late jobs are issued again before."""


@dataclass
class RunOutcome:
    """The outcome of a run's jobs."""

    done: int = 0
    quarantined: list[str] = field(default_factory=list)
    """Items that failed every attempt, each with its error."""
    preemptions: int = 0
    """Engines and tasks that ended, or moved, because their node was taken away. They count as no failure."""
    issued_again: int = 0
    """How often a job was late, and was issued again."""


def run_jobs(
    plan: Plan,
    jobs: StageJobs | Sequence[Job],
    progress: Progress,
    check: Callable[[], None] = lambda: None,
    given_up: GivenUp | None = None,
    sight: Sight | None = None,
    stopping: Stopping | None = None,
    costs: Costs | None = None,
    run_id: str = "",
    divide: Divide = whole,
) -> RunOutcome:
    """Do the jobs. Each model has its own engine actors; as many models run at once as fit.

    ``check`` is called about once a second; what it raises stops the run. Jobs that need what is ``given_up`` are not
    done, and what is given up now is added to it. Each process checks ``sight`` before its first job. Once ``stopping``
    is asked for, no job begins, and those that run get its time to finish. ``costs`` is told which engines are held.
    ``divide`` is called with each job when its turn comes.

    Raises:
        RunStoppedError: it was asked to stop while jobs were left.

    """
    sources = (jobs if isinstance(jobs, StageJobs) else listed(jobs)).models
    backend = RayBackend(plan.spec.plugins, sight, run_id)
    store = open_store(plan.spec.output)
    return Scheduler(plan, sources, backend, progress, store, given_up, stopping, costs, divide).run(check)


class Scheduler:
    """Dispatches until no jobs are left. It uses the engines that are up, and does not wait for the others."""

    def __init__(
        self,
        plan: Plan,
        sources: Sequence[ModelJobs],
        backend: Backend,
        progress: Progress,
        store: Store,
        given_up: GivenUp | None = None,
        stopping: Stopping | None = None,
        costs: Costs | None = None,
        divide: Divide = whole,
    ) -> None:
        self.plan, self.backend, self.progress, self.store = plan, backend, progress, store
        self.stopping = stopping or Stopping()
        self.costs = costs or Costs(plan.spec.resources.prices.currency, self.stopping)
        self.given_up = given_up or GivenUp()
        self.queues = Queues(plan, sources, self.given_up, divide)
        self.setups = setups(plan.spec, self.queues.needs())
        self.rooms = Rooms(plan.spec.resources.in_flight)
        self.pool = EnginePool(
            backend,
            self.setups,
            progress.say,
            plan.spec.plugins,
            given_up=self.given_up,
            tell=progress.happened,
            on_up=self.rooms.add,
            on_end=self.rooms.remove,
        )
        self.noise = NoiseFloors(plan.spec.models, store, progress.say)
        self.placeless = Placeless(plan.spec.resources.wait_minutes, progress.say)
        self.polls = Polls(backend)
        self.times = Times()
        self.running: dict[int, Attempt] = {}
        self.bytes = 0
        """Of the jobs that run."""
        self.outcome = RunOutcome()
        self.lost_tasks = 0
        """Tasks whose own node was lost."""
        self.idle_since_s = backend.now()
        self.last_warning = ""
        self.attempts = Attempts(plan.spec.resources.attempts, self.store, plan.items, progress.say, progress.happened)
        self._numbers = 0
        self._next_look_s = self._next_tick_s = 0.0

    def run(self, check: Callable[[], None] = lambda: None) -> RunOutcome:
        """Do the jobs; ``check`` is called about once a second, and what it raises ends the run."""
        try:
            self._drop()
            self._open(helping=True)
            while self.queues.are_left():
                check()
                if self.stopping.asked() is not None:
                    self._drain(check)
                    break
                self._look()
                self._dispatch()
                self._take(self.backend.events(_POLL_S))
            self._drop()
        finally:
            self.backend.close()  # this ends the jobs that run, before they ask engines that are gone
            self.pool.close_all()
            self.costs.look(())
        if self.outcome.preemptions:
            self.progress.say(f"{preemptions_text(self.outcome.preemptions)}; what they ended was done again.")
        self.outcome.quarantined = self.attempts.quarantined
        return self.outcome

    def _drain(self, check: Callable[[], None]) -> None:
        """Let running jobs finish in the time that they have; raise ``RunStoppedError`` if any job is left then."""
        if self.running:
            self.progress.happened(RunEvent("draining", text=self.stopping.asked()))
            self.progress.say(
                f"Stopping: {self.stopping.asked()}. Running shards get up to {self.stopping.left_s():.0f} s to "
                "finish; a second signal stops at once."
            )
        while self.running and not self.stopping.overdue():
            check()
            if self._is_time_to_look():
                self._follow()
            self._take(self.backend.events(_POLL_S))
        if self.queues.are_left():
            self.stopping.check()

    def _take(self, events: Sequence[Event]) -> None:
        """Take what has happened."""
        for event in events:
            if isinstance(event, Ended):
                self._finish(event)
            elif (replica := self.pool.named(event.engine)) is None:
                continue  # it was ended meanwhile
            elif isinstance(event, CameUp):
                self._came_up(replica, event)
            else:
                self.polls.answered(event.engine)
                self.progress.used(event.engine, event.usage)
                self.costs.used(event.engine, self.setups[replica.deployment.model], event.usage)
                self.pool.say_notes(replica, event.usage.notes)

    def _came_up(self, replica: Replica, event: CameUp) -> None:
        if isinstance(event.found, (RayActorError, OutOfMemoryError)):
            self.pool.replace(replica, event.found)
        elif isinstance(event.found, Exception):
            raise event.found
        else:
            _, _, noise = event.found
            self.noise.add(replica.deployment.model, noise)
            self.pool.came_up(replica, event.found)

    def _look(self) -> None:
        """Look after the engines, about once a second."""
        if not self._is_time_to_look():
            return
        if self.pool.has_places():
            self._open(helping=False)
        self._move()
        self._drop()
        self._resize()
        self._issue_late_jobs_again()
        self._warn_if_stalled()
        self._follow()

    def _is_time_to_look(self) -> bool:
        if self.backend.now() < self._next_look_s:
            return False
        self._next_look_s = self.backend.now() + _POLL_S
        return True

    def _follow(self) -> None:
        """Ask the engines what they do, count what they cost, and show it."""
        self.polls.ask(self.pool.all_up())
        began_s = self.backend.now()
        if began_s >= self._next_tick_s:
            self._show()
            self._next_tick_s = began_s + (self.backend.now() - began_s) / _SHOWN_SHARE

    def _show(self) -> None:
        placed = Counter(one.deployment.model for one in self.pool.replicas() if one.node is not None)
        self.costs.look([(self.setups[model], n) for model, n in placed.items()])
        if self.costs.are_known:
            self.progress.spent(self.costs.total, self.costs.currency)
        self.progress.waiting(self.queues.counts())
        self.progress.engines(self.pool.counts())
        self.progress.tick()

    def _move(self) -> None:
        """Move engines off the nodes that will leave, and start those that are missing."""
        if move_off(self.pool, self.pool.nodes):
            for one, reason in self.placeless.overdue(self.pool.asked(), self.pool.nodes.stay).items():
                self.pool.give_up(one, reason)
        self.pool.yield_place(bool(self.running))
        self.pool.settle()
        self.outcome.preemptions = self.pool.preemptions + self.lost_tasks
        self.progress.preempted(self.outcome.preemptions)

    def _open(self, helping: bool) -> None:
        """Start deployments: helpers get their places first, because no job can be done without them."""
        new = [one for one in self.queues.needs() if (one.role != SUBJECT) == helping]
        new = [one for one in new if one not in self.pool.deployments]
        if new:
            self.pool.open_all({one: 1 if helping else self._wanted(one) for one in new})

    def _wanted(self, answers: Deployment) -> int:
        """Return how many engines the deployment's work can use."""
        replicas, queue = self.setups[answers.model].resources.replicas, self.queues.by_model[answers]
        return max(replicas.min, min(replicas.max, len(queue) + self.queues.working[answers]))

    def _resize(self) -> None:
        """End the deployments that no job needs, and idle engines that no job waits for; ask for what work is left."""
        for one in list(self.pool.deployments):
            if not self.queues.need(one):
                self.pool.close(one)
            elif one.role == SUBJECT and one in self.queues.by_model:
                self._resize_subject(one, self.queues.by_model[one])

    def _resize_subject(self, one: Deployment, queue: Queue) -> None:
        wanted = self._wanted(one)
        if queue.next() is not None:
            self.pool.want(one, wanted)
            return
        self.pool.lower(one, wanted)
        others_wait = any(other.deployment != one for other in self.pool.unplaced())
        now_s, most_s, idle = self.backend.now(), self._idle_s(one), self.rooms.idle(one)
        spare = len(idle) - self.queues.working[one]  # more than all late jobs could use
        for at, replica in enumerate(idle):
            if len(self.pool.deployments[one]) <= self.setups[one.model].resources.replicas.min:
                return
            kept_s = IDLE_S if at < spare else most_s
            if not replica.helping and (others_wait or now_s - replica.idle_since_s > kept_s):
                self.pool.lower(one, len(self.pool.deployments[one]) - 1)
                self.pool.end(replica)

    def _idle_s(self, one: Deployment) -> float:
        """Return how long an engine is kept idle for late jobs: until the next one can be known to be late."""
        usual = self.times.usual(one, self.plan.spec.resources.shard_size)
        return max(IDLE_S, 3 * (usual or 0.0))

    def _dispatch(self) -> None:
        for deployment, queue in self.queues.by_model.items():
            while (pending := queue.next()) is not None:
                alone = pending.tries > 0 or self._is_last_round(deployment, queue)
                replica = self.rooms.free(deployment, alone, self.backend.now())
                replicas = None if replica is None else self._replicas(pending.needs, replica)
                if replicas is None or not self._submit(pending, replicas, queue):
                    break

    def _is_last_round(self, deployment: Deployment, queue: Queue) -> bool:
        """Return whether no more jobs wait than there are engines: a second one for an engine could wait for long."""
        count = self.rooms.n_up(deployment)
        return count > 1 and len(queue) <= count

    def _replicas(self, needs: Needed, answers: Replica) -> dict[str, Replica] | None:
        """Return the replica for each role, or None while a helper is not up."""
        found = {role: answers if one == answers.deployment else self.pool.first_up(one) for role, one in needs.items()}
        replicas = {role: replica for role, replica in found.items() if replica is not None}
        return replicas if len(replicas) == len(needs) else None

    def _submit(self, pending: Pending, replicas: dict[str, Replica], queue: Queue | None) -> bool:
        """Give a job to its engines, out of its queue if it is there; return False if too much is on its way."""
        size = self.backend.size(pending.job)
        if self.running and self.bytes + size > MOST_BYTES:
            return False
        if queue is not None:
            self.queues.take(queue)
        self._numbers += 1
        served, dead = replicas[SUBJECT].serve(self.backend.now()), self.pool.nodes.dead
        attempt = Attempt(self._numbers, pending, replicas, served, size, dead)
        engines = {role: (one.actor, _capabilities(one)) for role, one in replicas.items()}
        self.backend.submit(attempt.number, pending.job, engines, attempt.answers.node)
        self.running[attempt.number] = attempt
        self.bytes += size
        self._count(attempt, 1)
        self.progress.began(pending.job, attempt.answers.name, attempt.answers.node)
        return True

    def _count(self, attempt: Attempt, change: int) -> None:
        """Count an attempt that begins (1) or ends (-1) for its engines."""
        attempt.pending.running += change
        for role, replica in attempt.replicas.items():
            if role != SUBJECT:
                replica.helping += change
        answers = attempt.answers
        answers.serve(self.backend.now())
        answers.busy += change
        answers.exclusive = change > 0 and attempt.pending.tries > 0
        answers.idle_since_s = self.backend.now()
        if self.pool.has(answers):
            self.rooms.add(answers)

    def _end(self, attempt: Attempt) -> None:
        del self.running[attempt.number]
        self.bytes -= attempt.size
        self._count(attempt, -1)
        self.progress.ended(attempt.pending.job, attempt.answers.name)

    def _finish(self, event: Ended) -> None:
        attempt = self.running.get(event.number)
        if attempt is None:
            return  # of attempts at one job that ended at the same moment, another one counted
        pending, found, took_s = attempt.pending, event.found, attempt.seconds(self.backend.now())
        self._end(attempt)
        if isinstance(found, Exception):
            self._fail(attempt, found)
            return
        self._let_go(pending)
        self.pool.say_notes(attempt.answers, found.usage.notes)
        self.costs.used(attempt.answers.name, self.setups[pending.job.model], found.usage)
        self.pool.reset_losses(pending.needs.values())
        self.times.add(pending.needs[SUBJECT], len(pending.job.items), took_s)
        self.queues.done(pending)
        if not self.queues.need(pending.needs[SUBJECT]):
            self._next_look_s = 0.0  # its engines' places are for others
        self.outcome.done += 1
        self.attempts.done(pending)
        self.progress.finished(pending.job.model, found, attempt.answers.name)

    def _let_go(self, pending: Pending) -> None:
        """Let go of the other attempts at a job that was done."""
        for other in [one for one in self.running.values() if one.pending is pending] if pending.running else ():
            self.backend.cancel(other.number)
            self._end(other)

    def _fail(self, attempt: Attempt, error: Exception) -> None:
        pending = attempt.pending
        if pending.running:  # another attempt goes on; only an engine that was lost matters
            if isinstance(error, EngineLostError):
                self.pool.replace(self._lost(attempt, error), error)
            return
        if isinstance(error, EngineLostError):
            self._lose_engine(pending, self._lost(attempt, error), error)
        elif isinstance(error, ModelSourceError):  # the task's node lacks the model's tokenizer
            self._give_up(pending, loss_text(pending.needs[SUBJECT], error))
        elif isinstance(error, StoreError) and self._store_failed(attempt, error):
            return
        elif isinstance(error, (InputError, StoreError)):
            raise getattr(error, "cause", error) from None  # the text of Ray's wrapper is a traceback
        else:  # the runner's own process died, or our code failed outside any item
            lost, crashed = partial(self._lose_task, attempt, error), partial(self._retry, pending, error)
            # The runner may have been on another node than its engine, and Ray may have told of that node's end first.
            node = attempt.answers.node if self.pool.nodes.is_lost(attempt.answers.node) else None
            self.pool.crashes.judge(error, node, lost, crashed, attempt.dead)

    def _lost(self, attempt: Attempt, error: EngineLostError) -> Replica:
        cause: EngineLostError = getattr(error, "cause", error)  # Ray's wrapper of the error lacks the role
        return attempt.replicas[cause.role]

    def _store_failed(self, attempt: Attempt, error: Exception) -> bool:
        """Do the job again, elsewhere first; return False if the store fails too often."""
        pending = attempt.pending
        if not self.attempts.after_store(self.queues.queue(pending).again, pending, error):
            return False
        self.queues.done(pending)
        attempt.answers.held_until_s = self.backend.now() + _HELD_S
        return True

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

    def _lose_task(self, attempt: Attempt, error: Exception) -> None:
        if not self.pool.nodes.is_lost(attempt.answers.node):  # else its engine counts
            self.lost_tasks += 1
        elif attempt.answers.node in self.pool.nodes.dead:  # before it is given another job
            self.pool.replace(attempt.answers, error)
        self._do_again(attempt.pending, error, notice=False)

    def _do_again(self, pending: Pending, error: Exception, notice: bool) -> None:
        self.attempts.after_lost_node(self.queues.queue(pending).again, pending, error, notice)
        self.queues.done(pending)

    def _retry(self, pending: Pending, error: Exception, charged: bool = True) -> None:
        if self.stopping.asked() is not None:  # what asks the run to stop may have ended its engines, too
            self.queues.queue(pending).again.append(pending)
            self.queues.done(pending)
            return
        try:
            self.attempts.after(self.queues.queue(pending).again, pending, error, charged)
            self.queues.done(pending)
        except RunFailedError as hopeless:
            self._give_up(pending, f"Model {pending.job.model!r}: {hopeless}")

    def _give_up(self, pending: Pending, reason: str) -> None:
        """Give up the model that answers in a job, which is dropped with its others."""
        self.pool.give_up(pending.needs[SUBJECT], reason)
        self.queues.queue(pending).again.append(pending)
        self.queues.done(pending)
        self._drop()

    def _drop(self) -> None:
        """Leave out what needs an engine that is given up, and record it."""
        if self.queues.drop():
            self.given_up.record(self.store)

    def _issue_late_jobs_again(self) -> None:
        """Where no job waits and engines are idle, give them the jobs that take much longer than others did."""
        free = {one: self.rooms.idle(one) for one, queue in self.queues.by_model.items() if queue.next() is None}
        running: dict[Deployment, list[Attempt]] = {one: [] for one, idle in free.items() if idle}
        for attempt in self.running.values() if running else ():
            if attempt.answers.deployment in running:
                running[attempt.answers.deployment].append(attempt)
        for deployment, own in running.items():
            late = self.times.late(deployment, own, self.backend.now())
            self._issue_again(late[: len(free[deployment])], free[deployment])

    def _issue_again(self, late: Sequence[Attempt], idle: list[Replica]) -> None:
        """Issue jobs again on idle engines, on other nodes if there are any."""
        for attempt in late:
            chosen = next((one for one in idle if one.node != attempt.answers.node), idle[0])
            replicas = self._replicas(attempt.pending.needs, chosen)
            if replicas is not None and self._submit(attempt.pending, replicas, None):
                idle.remove(chosen)
                self.outcome.issued_again += 1
                self.progress.say(f"{attempt.pending.job.name}: it takes long, and is issued again")
                self.progress.happened(RunEvent("job_reissued", job=attempt.pending.job, engine=chosen.name))

    def _warn_if_stalled(self) -> None:
        """If nothing runs, say what is missing: from here a full cluster looks the same as weights that load."""
        if self.running:
            self.idle_since_s = self.backend.now()
        elif self.queues.are_left() and self.backend.now() - self.idle_since_s > PATIENCE_S:
            self.idle_since_s = self.backend.now()
            if (line := f"Nothing has run for {PATIENCE_S:.0f} s. {self.pool.waiting()}") != self.last_warning:
                self.last_warning = line
                self.progress.say(line)


def _capabilities(replica: Replica) -> Capabilities:
    assert replica.capabilities is not None, "only engines that are up get jobs"
    return replica.capabilities
