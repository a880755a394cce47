"""Machines for the scheduler that are simulated: nodes, engines and a store by a virtual clock, behind ``Backend``.

In: what a job takes (``Conditions``), and what happens when (``at``). Out: what the scheduler sees of real machines,
and how the GPUs' time was spent (``Spent``). Knows nothing about chances: who makes the conditions draws them.

An engine serves the parts of its jobs one after another: while it serves one, the next waits, and it is never idle
while one does. A part that is computed is then committed, which holds no engine; the job's next part comes after that.
A job that is done again does only the parts that are not committed. The time that the scheduler itself takes is real:
the processor time between two calls of ``events`` passes on the virtual clock, too.
"""

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from time import process_time

from ray.exceptions import RayActorError

from cotfaith.cluster.fleet.backend import CameUp, Ended, Event, NodesNow, Used
from cotfaith.cluster.fleet.deployments import SUBJECT, Setup
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.runner import packed
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.schemas.errors import EngineLostError, StoreError
from cotfaith.workers.actor.noise import NoiseFloor
from cotfaith.workers.engines.protocol import CHAINS, PROBES, Capabilities, EngineUsage, StageKey, StageWork

TOKENS_A_SECOND = 1000
Resources = Mapping[str, float]


class Commit:
    """A store's answer: after how many seconds, and whether it failed."""

    def __init__(self, seconds: float, failed: bool = False) -> None:
        self.seconds, self.failed = seconds, failed


def at_once(time_s: float) -> Commit:
    """Commit without delay."""
    return Commit(0.0)


@dataclass(frozen=True)
class Conditions:
    """What things take, in seconds."""

    parts: Callable[[Job], Sequence[float]] = lambda job: (10.0,)
    """The parts of a job, on a machine that is not slow; the same each time."""
    slowness: Callable[[int], float] = lambda number: 1.0
    """How many times as long an attempt takes, by its number."""
    commit: Callable[[float], Commit] = at_once
    """The store's answer at a time."""
    load_s: float = 0.0
    """From a place to an engine that is up."""
    noticed_s: float = 14.0
    """Until a node that is gone without notice is known to be."""
    driver_time: bool = False
    """Whether the scheduler's own time passes."""
    submit_s: float = 0.0
    finish_s: float = 0.0
    """What Ray takes of the driver for a call, and for its answer, besides that."""


@dataclass
class Spent:
    """Engines' seconds."""

    there: float = 0.0
    """GPUs' seconds: their nodes are part of the cluster."""
    up: float = 0.0
    """Weights loaded."""
    loading: float = 0.0
    accepted: float = 0.0
    """Computing parts whose commit counted."""
    own: float = 0.0
    """The same parts, if no machine had been slow."""
    lost: dict[str, float] = field(default_factory=dict)
    """Computing other parts, by why they did not count."""
    losses: int = 0
    """Engines that were lost while they were up."""

    def lose(self, why: str, seconds: float) -> None:
        """Count time that was lost."""
        self.lost[why] = self.lost.get(why, 0.0) + seconds

    @property
    def computing(self) -> float:
        """All time in which engines computed."""
        return self.accepted + sum(self.lost.values())


@dataclass(eq=False)
class Node:
    """A machine."""

    name: str
    has: Resources
    free: dict[str, float]
    since_s: float
    leaves_s: float | None = None
    """When it will be gone, if it gave notice."""
    gone: bool = False


@dataclass(eq=False)
class Place:
    """Room for an engine, on a node or waiting for one."""

    asked: Resources
    node: Node | None = None
    released: bool = False


@dataclass(eq=False)
class Try:
    """A job on an engine."""

    number: int
    job: Job
    engine: "Engine"
    slowness: float
    cancelled: bool = False
    part: int = 0

    def seconds(self, own_s: float) -> float:
        """Return how long it computes a part."""
        return own_s * self.slowness

    @property
    def why_lost(self) -> str:
        """Why what it computes is lost, if it is."""
        return "cancelled" if self.cancelled else "engine lost"


@dataclass(eq=False)
class Engine:
    """A model's engine."""

    name: str
    place: Place
    own_place: bool
    """Whether it gives its place back when it ends."""
    began_s: float
    up_s: float | None = None
    dead: bool = False
    queue: deque[Try] = field(default_factory=deque)
    works: tuple[Try, float, float] | None = None
    """The attempt that it computes a part of, since when, and the part's own seconds."""
    tries: dict[int, Try] = field(default_factory=dict)
    stages: dict[StageKey, StageWork] = field(default_factory=dict)

    def usage(self) -> EngineUsage:
        """Return its totals."""
        seconds = sum(one.seconds for one in self.stages.values())
        tokens, loading_s = round(seconds * TOKENS_A_SECOND), (self.up_s or self.began_s) - self.began_s
        return EngineUsage(generated_tokens=tokens, stages=dict(self.stages), loading_s=loading_s)


Report = Callable[[Job, Engine, Mapping[StageKey, StageWork]], ShardReport]


def plain_report(job: Job, engine: Engine, stages: Mapping[StageKey, StageWork]) -> ShardReport:
    """Return a report that says what was done, and not what is committed."""
    made = sum(one.generated_tokens for key, one in stages.items() if key.stage == CHAINS)
    n = len(job.items)
    return ShardReport(
        job.shard.id, n, usage=engine.usage(), reader=job.reader, stages=dict(stages), chains=n, chain_tokens=int(made)
    )


class Machines:
    """A simulated cluster, which is a ``Backend``."""

    def __init__(self, conditions: Conditions, report: Report = plain_report) -> None:
        self.conditions, self.report, self.spent = conditions, report, Spent()
        self.nodes_now: dict[str, Node] = {}
        """Those that are there, or are not yet known to be gone."""
        self.dead: frozenset[str] = frozenset()
        self.committed: dict[str, int] = {}
        """Job's name -> its parts that are committed."""
        self.log: list[tuple[float, str]] = []
        """What the scheduler asked for, and when."""
        self.calls = 0
        """Of Ray, if it were Ray."""
        self.driver_s = 0.0
        """What the scheduler took of the clock."""
        self.own_s = 0.0
        """Processor time between calls of ``events``."""
        self._waiting: dict[Place, Engine | None] = {}
        """Places without a node, in the order in which they were asked for."""
        self._roomy: dict[Node, None] = {}
        """Nodes with something of everything."""
        self._engines: dict[str, Engine] = {}
        self._tries: dict[int, Try] = {}
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._out: list[Event] = []
        self._time_s = self._owed_s = 0.0
        self._mark_s = process_time()

    # Time.

    def now(self) -> float:
        """Return the virtual time."""
        own_s = process_time() - self._mark_s if self.conditions.driver_time else 0.0
        return self._time_s + self._owed_s + own_s

    def at(self, time_s: float, action: Callable[[float], None]) -> None:
        """Call ``action`` with its time when that comes."""
        heapq.heappush(self._heap, (time_s, next(self._order), action))

    def events(self, timeout_s: float) -> list[Event]:
        """Return what has happened; let time pass until something does."""
        self.own_s += process_time() - self._mark_s
        began_s, self._time_s, self._owed_s = self._time_s, self.now(), 0.0
        self.driver_s += self._time_s - began_s
        until_s = self._time_s + timeout_s
        while self._heap and self._heap[0][0] <= (self._time_s if self._out else until_s):
            time_s, _, action = heapq.heappop(self._heap)
            self._time_s = max(self._time_s, time_s)
            action(time_s)
        if not self._out:
            self._time_s = until_s
        found, self._out = self._out, []
        self._owed_s = len(found) * self.conditions.finish_s
        self._mark_s = process_time()
        return found

    def _call(self) -> None:
        self.calls += 1
        self._owed_s += self.conditions.submit_s

    # Nodes.

    def add_node(self, name: str, has: Resources) -> None:
        """Add a node now."""
        node = self.nodes_now[name] = Node(name, has, dict(has), self._time_s)
        self._roomy[node] = None
        self._fill(self._time_s)

    def give_notice(self, name: str, notice_s: float, time_s: float) -> None:
        """Let a node drain, and be gone after its notice."""
        node = self.nodes_now[name]
        node.leaves_s = time_s + notice_s
        self._roomy.pop(node, None)
        self.at(node.leaves_s, lambda then_s: self._see_loss(node, then_s, preempted=True))

    def lose_node(self, name: str, time_s: float) -> None:
        """Take a node away without notice."""
        node = self.nodes_now[name]
        self._go(node, time_s)
        for engine in [one for one in self._engines.values() if one.place.node is node]:
            self._stop(engine, "engine lost", time_s)
        self.at(time_s + self.conditions.noticed_s, lambda then_s: self._see_loss(node, then_s, preempted=False))

    def _see_loss(self, node: Node, time_s: float, preempted: bool) -> None:
        self._go(node, time_s)
        del self.nodes_now[node.name]
        self.dead |= {node.name}
        for engine in [one for one in self._engines.values() if one.place.node is node]:
            error = RayActorError(None, "The actor's node died.", preempted=preempted)
            self._lose(engine, error, "engine lost", time_s)

    def _go(self, node: Node, time_s: float) -> None:
        if not node.gone:
            node.gone = True
            self._roomy.pop(node, None)
            self.spent.there += node.has.get("GPU", 0.0) * (time_s - node.since_s)

    def nodes(self) -> NodesNow:
        """Return the nodes."""
        alive = {name: node.has for name, node in self.nodes_now.items()}
        leaving = {name: node.leaves_s - self.now() for name, node in self.nodes_now.items() if node.leaves_s}
        return NodesNow(alive, self.dead, leaving)

    def leave(self, node: str) -> None:
        """Do nothing: nothing is idle on a node but engines."""

    # Places.

    def reserve(self, asked: Resources) -> Place:
        """Ask for a place."""
        self._call()
        place = Place(asked)
        self.at(self.now(), lambda time_s: self._wait(place, None, time_s))
        return place

    def is_made(self, place: Place) -> bool:
        """Return whether a place has its node."""
        return place.node is not None and not place.node.gone

    def release(self, place: Place) -> None:
        """Give a place back."""
        place.released = True
        self.at(self.now(), lambda time_s: self._release(place, time_s))

    def _release(self, place: Place, time_s: float) -> None:
        self._waiting.pop(place, None)
        if (node := place.node) is not None:
            for name, n in place.asked.items():
                node.free[name] += n
            if not node.gone and node.leaves_s is None:
                self._roomy[node] = None
                self._fill(time_s)

    def _wait(self, place: Place, engine: Engine | None, time_s: float) -> None:
        if not place.released:
            self._waiting[place] = engine
            self._try_to_place(place, time_s)

    def _fill(self, time_s: float) -> None:
        for place in list(self._waiting):
            if not self._roomy:
                return
            self._try_to_place(place, time_s)

    def _try_to_place(self, place: Place, time_s: float) -> None:
        node = next((one for one in self._roomy if _has_room(one, place.asked)), None)
        if node is None:
            return
        place.node, engine = node, self._waiting.pop(place)
        for name, n in place.asked.items():
            node.free[name] -= n
        if any(n <= 0 for n in node.free.values()):
            del self._roomy[node]
        if engine is not None:
            self._load(engine, time_s)

    # Engines.

    def start_engine(self, name: str, setup: Setup, plugins: Sequence[str], place: Place | None) -> Engine:
        """Start an engine."""
        self._call()
        engine = Engine(name, place or Place(setup.asked()), place is None, self.now())
        self._engines[name] = engine
        self.log.append((self.now(), f"start {name}"))
        self.at(self.now(), lambda time_s: self._start(engine, time_s))
        return engine

    def _start(self, engine: Engine, time_s: float) -> None:
        if engine.place.node is None:
            self._wait(engine.place, engine, time_s)
        else:
            self._load(engine, time_s)

    def _load(self, engine: Engine, time_s: float) -> None:
        engine.began_s = time_s
        self.at(time_s + self.conditions.load_s, lambda then_s: self._up(engine, then_s))

    def _up(self, engine: Engine, time_s: float) -> None:
        if engine.dead or engine.place.node is None or engine.place.node.gone:
            return
        engine.up_s = time_s
        self.spent.loading += time_s - engine.began_s
        self._out.append(CameUp(engine.name, (Capabilities(True, True, True), (), NoiseFloor())))

    def kill_engine(self, handle: Engine) -> None:
        """End an engine; jobs on it fail."""
        if handle.name in self._engines:
            self.log.append((self.now(), f"end {handle.name}"))
            self._lose(handle, EngineLostError("The engine was ended."), "engine ended", self.now())

    def crash(self, name: str, time_s: float) -> None:
        """End an engine's process by a fault of its own."""
        self._lose(self._engines[name], EngineLostError("The engine's process ended."), "crashed", time_s)

    def _lose(self, engine: Engine, error: Exception, why: str, time_s: float) -> None:
        was_up = engine.up_s is not None
        self._stop(engine, why, time_s)
        del self._engines[engine.name]
        if not was_up and why != "engine ended":
            self._out.append(CameUp(engine.name, error))
        for one in engine.tries.values():
            if self._tries.pop(one.number, None) is not None:
                self._out.append(Ended(one.number, error))
        if engine.own_place:
            self.release(engine.place)

    def _stop(self, engine: Engine, why: str, time_s: float) -> None:
        """Let an engine compute no more; what it computes is lost."""
        if engine.dead:
            return
        engine.dead = True
        if engine.up_s is not None:
            self.spent.up += time_s - engine.up_s
            self.spent.losses += why != "engine ended"
        if engine.works is not None:
            one, since_s, _ = engine.works
            self.spent.lose("cancelled" if one.cancelled else why, time_s - since_s)
            engine.works = None

    def node_of(self, handle: Engine) -> str | None:
        """Return the node that an engine was placed on."""
        return None if handle.place.node is None else handle.place.node.name

    def ask_usage(self, name: str, handle: Engine) -> None:
        """Ask an engine for its totals."""
        self._call()
        self.at(self.now() + 0.01, lambda _: None if handle.dead else self._out.append(Used(name, handle.usage())))

    # Jobs.

    def size(self, job: Job) -> int:
        """Return the bytes of a job, as they would be sent."""
        return len(packed(job))

    def submit(
        self, number: int, job: Job, engines: Mapping[str, tuple[Engine, Capabilities]], node: str | None
    ) -> None:
        """Run a job."""
        self._call()
        engine = engines[SUBJECT][0]
        self.at(self.now(), lambda time_s: self._begin(Try(number, job, engine, 1.0), time_s))

    def _begin(self, one: Try, time_s: float) -> None:
        one.slowness = self.conditions.slowness(one.number)
        one.part = self.committed.get(one.job.name, 0)
        engine = one.engine
        self._tries[one.number] = engine.tries[one.number] = one
        if engine.name not in self._engines:
            self._end(one, EngineLostError("The engine's process ended."))
        elif not engine.dead:  # else its loss is not known yet
            self._queue(one, time_s)

    def _queue(self, one: Try, time_s: float) -> None:
        """Let a job's next part wait for its engine; none is left if another attempt has committed them."""
        parts = self.conditions.parts(one.job)
        one.part = max(one.part, self.committed.get(one.job.name, 0))
        if one.part >= len(parts):
            self._end(one, self.report(one.job, one.engine, self._stages(one.job, parts)))
            return
        one.engine.queue.append(one)
        if one.engine.works is None:
            self._work(one.engine, time_s)

    def _work(self, engine: Engine, time_s: float) -> None:
        """Let an engine compute what waits longest."""
        while engine.queue and (one := engine.queue.popleft()):
            if not one.cancelled:
                own_s = self.conditions.parts(one.job)[one.part]
                engine.works = (one, time_s, own_s)
                self.at(time_s + one.seconds(own_s), lambda then_s: self._computed(engine, one, then_s))
                return

    def _computed(self, engine: Engine, one: Try, time_s: float) -> None:
        if engine.works is None or engine.works[0] is not one:
            return  # it was stopped
        own_s = engine.works[2]
        engine.works = None
        self._count(one, one.seconds(own_s))
        self._work(engine, time_s)
        if one.cancelled:
            self.spent.lose("cancelled", one.seconds(own_s))
            return
        answer = self.conditions.commit(time_s)
        self.at(time_s + answer.seconds, lambda then_s: self._commit(one, own_s, answer.failed, then_s))

    def _commit(self, one: Try, own_s: float, failed: bool, time_s: float) -> None:
        place = one.engine.place.node
        if one.number not in self._tries or (place is not None and place.gone):  # its runner is gone
            self.spent.lose(one.why_lost, one.seconds(own_s))
        elif failed:
            self.spent.lose("store failed", one.seconds(own_s))
            self._end(one, StoreError("The store did not take a commit."))
        else:
            self._accept(one, own_s)
            self._queue(one, time_s)

    def _accept(self, one: Try, own_s: float) -> None:
        name = one.job.name
        if self.committed.get(name, 0) > one.part:
            self.spent.lose("done twice", one.seconds(own_s))
            return
        self.committed[name] = one.part = one.part + 1
        self.spent.accepted += one.seconds(own_s)
        self.spent.own += own_s

    def _count(self, one: Try, seconds: float) -> None:
        key = _stage(one.job, one.part)
        work = StageWork(len(one.job.items), seconds * TOKENS_A_SECOND, seconds)
        one.engine.stages[key] = one.engine.stages.get(key, StageWork()) + work

    def _stages(self, job: Job, parts: Sequence[float]) -> dict[StageKey, StageWork]:
        return {_stage(job, at): StageWork(len(job.items), s * TOKENS_A_SECOND, s) for at, s in enumerate(parts)}

    def _end(self, one: Try, found: ShardReport | Exception) -> None:
        self._tries.pop(one.number, None)
        one.engine.tries.pop(one.number, None)
        self._out.append(Ended(one.number, found))

    def cancel(self, number: int) -> None:
        """Let go of a job. Its engine finishes the part that it computes, for nobody."""
        self._call()
        if (one := self._tries.pop(number, None)) is not None:
            one.cancelled = True
            one.engine.tries.pop(number, None)

    def words(self, asked: Resources) -> str:
        """Return what an engine asks for."""
        return " and ".join(f"{n:g} {name}s" for name, n in asked.items()) or "no resources"

    def close(self) -> None:
        """Stop the clock of all engines and nodes."""
        for engine in list(self._engines.values()):
            self._stop(engine, "engine ended", self.now())
        for node in list(self.nodes_now.values()):
            self._go(node, self.now())


def _has_room(node: Node, asked: Resources) -> bool:
    return all(node.free.get(name, 0.0) >= n for name, n in asked.items())


def _stage(job: Job, part: int) -> StageKey:
    return StageKey(job.model, job.shard.task, PROBES if part else CHAINS)
