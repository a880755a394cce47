"""The driver: shard tasks, several in flight per engine, retries. Holds no rows.

Resume is not a mode: whoever calls lists what is missing (``jobs``), and the driver does it.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import ray

from cotfaith.cluster.fleet.engine_pool import SUBJECT, Engine, EnginePool, Post, first_line
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.polling import UsagePoll
from cotfaith.cluster.fleet.ray_session import engine_share
from cotfaith.cluster.fleet.reporter import Progress
from cotfaith.cluster.fleet.shard_task import ShardReport, run_job
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.roles import helpers
from cotfaith.cluster.storage.given_up import record_given_up
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import InputError
from cotfaith.workers.actor.remote import RemoteEngine
from cotfaith.workers.shard.loop import EngineLostError

_POLL_S = 1.0
PATIENCE_S = 60.0
"""Without anything running, before the driver says what it waits for."""

Crew = dict[str, Post]
"""Role -> the post whose engine serves it in a job."""


@dataclass
class _Pending:
    """A job, whom it needs, and how often it was tried."""

    job: Job
    crew: Crew
    tries: int = 0


@dataclass
class Outcome:
    """What a run came to."""

    done: int = 0
    given_up: list[str] = field(default_factory=list)
    """Shards that failed every attempt, each with its error."""


def actors_at_once(plan: Plan, jobs: Sequence[Job]) -> int:
    """Return the engine actors that must have a place together: one subject's replicas, and all helpers."""
    return plan.spec.resources.replicas + _helping(post for job in jobs for post in _crew(plan, job).values())


def _helping(posts: Iterable[Post]) -> int:
    return sum(post.role != SUBJECT for post in set(posts))


def _crew(plan: Plan, job: Job) -> Crew:
    """Return whom a job needs; a model that helps with its own chains does so with the engine that answers."""
    answers = plan.model(job.model)
    probes = [probe for probe in plan.spec.probes if probe.name in job.probes]
    helping = helpers(plan.spec, answers, probes)
    posts = {role: Post(SUBJECT if model.id == answers.id else role, model.id) for role, model in helping.items()}
    return {SUBJECT: Post(SUBJECT, answers.id), **posts}


def run_jobs(plan: Plan, jobs: Sequence[Job], progress: Progress) -> Outcome:
    """Do the jobs, each model's on its own engine actors, all models that fit at a time."""
    return _Driver(plan, progress, [_Pending(job, _crew(plan, job)) for job in jobs]).run()


class _Driver:
    """Dispatches until nothing is left. Engines that are up are used; nobody waits for the rest."""

    def __init__(self, plan: Plan, progress: Progress, pending: Sequence[_Pending]) -> None:
        self.resources = plan.spec.resources
        self.progress = progress
        self.store = open_store(plan.spec.output.path)
        self.usage = UsagePoll()
        self.queues: dict[Post, deque[_Pending]] = {}
        for one in pending:
            self.queues.setdefault(one.crew[SUBJECT], deque()).append(one)
        self.left = Counter(post for one in pending for post in one.crew.values())
        """Jobs that still need a post, waiting or running."""
        share = engine_share(self.resources, self.resources.replicas + _helping(self.left))
        self.pool = EnginePool(self.resources, share, {m.id: m for m in plan.spec.models}, progress.say)
        self.running: dict[Any, tuple[_Pending, dict[str, Engine]]] = {}
        self.outcome = Outcome()
        self.idle_since_s = monotonic()
        self.complaint = ""

    def run(self) -> Outcome:
        try:
            self._open(helping=True)
            while self.left:
                if self.pool.has_places():
                    self._open(helping=False)
                self._dispatch()
                self._collect()
                self._close()
                self._complain()
        finally:
            self.pool.close_all()  # which ends the tasks, too; to cancel them makes Ray abort now and then
        return self.outcome

    def _open(self, helping: bool) -> None:
        """Staff the posts: helpers' places come first, since no job can be done without them."""
        for post in self.left:
            if (post.role != SUBJECT) == helping and post not in self.pool.posts:
                self.pool.open(post, 1 if helping else min(self.resources.replicas, self.left[post]))

    def _dispatch(self) -> None:
        for post, queue in self.queues.items():
            for engine in self.pool.up(post):
                while queue and self._has_room(engine, queue[0]):
                    engines = self._engines(queue[0].crew, engine)
                    if engines is None:
                        break
                    self._submit(queue.popleft(), engines)

    def _has_room(self, engine: Engine, pending: _Pending) -> bool:
        """Return whether the engine can take the job; one that was blamed runs alone, so that no bystander is blamed.

        Of the tasks on a lost engine nobody knows which one killed it.
        """
        return not engine.reserved and engine.busy < (1 if pending.tries else self.resources.in_flight)

    def _engines(self, crew: Crew, answers: Engine) -> dict[str, Engine] | None:
        """Return the engine of each role, or None while a helper is not up."""
        found = {
            role: answers if post == answers.post else next(iter(self.pool.up(post)), None)
            for role, post in crew.items()
        }
        engines = {role: engine for role, engine in found.items() if engine is not None}
        return engines if len(engines) == len(crew) else None

    def _submit(self, pending: _Pending, engines: dict[str, Engine]) -> None:
        task: Any = ray.remote(_run_remotely)
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        remotes = {role: engine.remote() for role, engine in engines.items()}
        reference = task.options(**options).remote(pending.job, remotes)
        engines[SUBJECT].busy += 1
        engines[SUBJECT].reserved = pending.tries > 0
        self.running[reference] = (pending, engines)

    def _collect(self) -> None:
        loading = self.pool.loading()
        ready, _ = ray.wait([*self.running, *loading], num_returns=1, timeout=_POLL_S)
        for reference in ready:
            if reference in loading:
                self.pool.welcome(loading[reference])
            else:
                self._finish(reference)
        for name, usage in self.usage.answers({e.name: e.actor for e in self.pool.all_up()}).items():
            self.progress.used(name, usage)
        self.progress.tick()

    def _finish(self, reference: Any) -> None:
        pending, engines = self.running.pop(reference)
        engines[SUBJECT].busy -= 1
        engines[SUBJECT].reserved = False
        try:
            report: ShardReport = ray.get(reference)
        except EngineLostError as error:
            cause = getattr(error, "cause", error)  # Ray's stand-in for the error lacks the role
            lost = engines[cause.role]
            # Of several tasks on a lost engine only the first to report is blamed; the others were bystanders.
            self._retry(pending, error, blamed=self.pool.has(lost))
            self.pool.replace(lost, error)
        except InputError:
            raise
        except Exception as error:  # the task's own process died, or our code failed outside any item
            self._retry(pending, error)
        else:
            self.pool.praise(pending.crew.values())
            self.left -= Counter(pending.crew.values())
            self.outcome.done += 1
            self.progress.finished(pending.job.model, report, engines[SUBJECT].name)

    def _retry(self, pending: _Pending, error: Exception, blamed: bool = True) -> None:
        pending.tries += blamed
        name, reason = pending.job.name, first_line(error)
        if pending.tries < self.resources.attempts:
            self.progress.say(f"{name}: attempt {pending.tries} failed ({reason}); trying again")
            self.queues[pending.crew[SUBJECT]].append(pending)
        else:
            self.left -= Counter(pending.crew.values())
            self.outcome.given_up.append(f"{name}: {reason}")
            record_given_up(self.store, pending.job, reason, pending.tries)
            self.progress.say(f"{name}: given up after {pending.tries} attempts ({reason})")

    def _close(self) -> None:
        """End the engines that nothing needs any more, so that waiting ones get their place."""
        for post in [post for post in self.pool.posts if not self.left[post]]:
            self.pool.close(post)

    def _complain(self) -> None:
        """Say what is waited for, if nothing runs: from here no room in the cluster looks like weights that load."""
        if self.running:
            self.idle_since_s = monotonic()
        elif self.left and monotonic() - self.idle_since_s > PATIENCE_S:
            self.idle_since_s = monotonic()
            if (line := f"Nothing has run for {PATIENCE_S:.0f} s. {self.pool.waiting()}") != self.complaint:
                self.complaint = line
                self.progress.say(line)


def _run_remotely(job: Job, engines: dict[str, RemoteEngine]) -> ShardReport:
    return run_job(job, engines)
