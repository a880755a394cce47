"""Engine actors by deployment: starts them, replaces lost ones, ends them. Knows nothing about jobs and Ray.

A deployment is a model in a role, and its replicas are actors. A subject or reader has as many replicas as the spec
says. A helper (an editor or embedder model) has one, which serves all subjects, and a place that is reserved for it.

A loss of an actor by the loss of its node is a preemption: it is counted apart, and no number of them ends the run. As
long as it is not known which it is (``crashes``), nothing is counted. A subject is replaced at once, and a helper once
it is known where its place is.

Actors are asked for a few at a time beyond those that are placed, the largest first and each model in turn: so models
share a cluster, an autoscaler sees what is lacking, and no model's demand is in the way of another's.

A deployment whose actors crash too often, or of which none comes up, is given up: it gets no more actors. An actor that
does not come up while another of its deployment does, or still may, is not replaced.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cotfaith.cluster.fleet.backend import Backend, Description
from cotfaith.cluster.fleet.crashes import Crashes
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, Setup
from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.cluster.fleet.events import Kind, RunEvent, Tell, tell_nobody
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.losses import Losses, loss_text
from cotfaith.cluster.fleet.nodes import Nodes
from cotfaith.cluster.fleet.places import Places
from cotfaith.cluster.fleet.replica import Replica
from cotfaith.cluster.fleet.reporter import EngineCount

_YIELD_S = 10.0
"""Seconds that a helper waits for a place before an idle subject's actor is ended for it."""
_HELPERS_YIELD_S = 30.0
"""Seconds that no subject gets a place before the helpers' places are given to others, such as another run. Twice as
many each time after the first: an engine whose process is slow to start looks the same as one without a place."""
_BACK_OFF_S = (10.0, 40.0)
"""How long they are then not asked for again, at random: two runs must not take turns in step."""
_LEAST_PENDING, _MOST_PENDING = 16, 1000
"""Actors that wait for a place at a time: at least the first, at most the second, else half of those that are up."""


@dataclass
class EnginePool:
    """All actors of a run."""

    backend: Backend
    setups: Mapping[str, Setup]
    """By model."""
    say: Callable[[str], None]
    plugins: Sequence[str] = ()
    """Modules that an engine actor imports first."""
    nodes: Nodes = field(init=False)
    given_up: GivenUp = field(default_factory=GivenUp)
    tell: Tell = tell_nobody
    preemptions: int = 0
    """Actors that were lost with their node, or moved off it."""
    deployments: dict[Deployment, dict[Replica, None]] = field(default_factory=dict)
    """In the order in which they were started."""
    crashes: Crashes = field(init=False)
    """The crashes of actors and tasks that wait for the verdict on their nodes."""
    on_up: Callable[[Replica], None] = lambda _: None
    """Called with each actor that comes up."""
    on_end: Callable[[Replica], None] = lambda _: None
    """Called with each actor that takes no more jobs."""
    _by_name: dict[str, Replica] = field(default_factory=dict)
    _loading: dict[Replica, None] = field(default_factory=dict)
    """Actors that are not up yet."""
    _wanted: dict[Deployment, int] = field(default_factory=dict)
    _most: dict[Deployment, int] = field(default_factory=dict)
    """Those that are not asked for again, because they did not come up, are left out."""
    _in_doubt: list[Replica] = field(default_factory=list)
    """Lost actors, until it is known whether their nodes were lost."""
    _places: Places = field(init=False)
    _losses: Losses = field(init=False)
    _placeless_s: float | None = None
    """Since when a helper waits for its place."""
    _seatless_s: float | None = None
    """Since when helpers have their places and no subject has one."""
    _yields: int = 0
    """How often helpers' places were given back."""
    _back_at_s: float = 0.0
    """Nothing is asked for before."""
    _started: int = 0
    _said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nodes = Nodes(self.backend)
        self.crashes = Crashes(self.nodes, self.backend.now)
        self._places = Places(self.backend)
        self._losses = Losses(self.setups)

    def open(self, deployment: Deployment, count: int) -> None:
        """Request ``count`` actors; each comes up once the cluster has a place for it."""
        self.open_all({deployment: count})

    def open_all(self, counts: Mapping[Deployment, int]) -> None:
        """Request actors of several deployments: the largest are asked for first."""
        self.deployments |= {one: {} for one in counts}
        for one, count in counts.items():
            if one not in self.given_up.reasons:
                self._wanted[one] = min(count, self._most.get(one, count))
        self.fill()

    def want(self, deployment: Deployment, count: int) -> None:
        """Request another number of actors, unless the deployment is given up. Those that are up stay."""
        if deployment not in self.given_up.reasons:
            self._wanted[deployment] = min(count, self._most.get(deployment, count))
            self.fill()

    def lower(self, deployment: Deployment, count: int) -> None:
        """Ask for no more than ``count`` actors from now on, and take back the requests beyond that."""
        self._wanted[deployment] = min(count, self._wanted.get(deployment, count))
        own = self.deployments.get(deployment, {})
        waiting = [one for one in own if one.node is None and one.capabilities is None]
        for replica in waiting[: max(0, len(own) - count)]:
            self.end(replica)

    def fill(self) -> None:
        """Start the actors that are missing: helpers, then subjects, which wait until helpers' places are reserved."""
        if self.backend.now() < self._back_at_s:
            return
        for one in [one for one in self.deployments if one.role != SUBJECT]:
            for _ in range(self._missing(one)):
                self._start(one)
        if self.has_places():
            self._fill_subjects()

    def _fill_subjects(self) -> None:
        """Start one actor of each model in turn, the largest first, as long as few wait for a place."""
        missing = {one: n for one in self.deployments if one.role == SUBJECT and (n := self._missing(one)) > 0}
        if not missing:
            return
        waiting = len(self.unplaced())
        up = len(self._by_name) - waiting
        room = max(_LEAST_PENDING, min(_MOST_PENDING, up // 2)) - waiting
        while missing and room > 0:
            for one in sorted(missing, key=self._size, reverse=True)[:room]:
                self._start(one)
                room -= 1
                missing[one] -= 1
            missing = {one: n for one, n in missing.items() if n > 0}

    def _missing(self, one: Deployment) -> int:
        own = self.deployments[one]
        leaving = sum(replica.leaving for replica in own) if self.nodes.leaving else 0
        return self._wanted.get(one, 1) - len(own) + leaving - self._unplaced(one)

    def _size(self, deployment: Deployment) -> tuple[float, float]:
        asked = self.asks(deployment)
        return asked.get("GPU", 0.0), asked.get("CPU", 0.0)

    def _unplaced(self, deployment: Deployment) -> int:
        """Return how many of a helper's lost actors have a place that may be lost too."""
        lost = (one for one in self._in_doubt if one.deployment == deployment)
        return sum(one.place is not None for one in lost) if deployment.role != SUBJECT else 0

    def asks(self, deployment: Deployment) -> dict[str, float]:
        """Return what an actor of the deployment asks the cluster for."""
        return self.setups[deployment.model].asked()

    def _start(self, deployment: Deployment) -> None:
        asked, helps = self.asks(deployment), deployment.role != SUBJECT
        place = self._places.reserve(deployment, asked) if helps else self._places.seat(asked)
        self._started += 1
        name = f"{deployment.model}#{self._started}"
        actor = self.backend.start_engine(name, self.setups[deployment.model], self.plugins, place)
        replica = Replica(name, deployment, actor, place=place, since_s=self.backend.now())
        self.deployments[deployment][replica] = None
        self._by_name[name] = replica
        self._loading[replica] = None
        self._tell("engine_starting", replica)

    def _tell(self, kind: Kind, replica: Replica, error: str | None = None, text: str | None = None) -> None:
        model, since_s = replica.deployment.model, self.backend.now() - replica.since_s
        self.tell(RunEvent(kind, None, model, replica.name, replica.node, error=error, seconds=since_s, text=text))

    def counts(self) -> dict[str, EngineCount]:
        """Return how many engines are up and asked for, by model."""
        found: dict[str, EngineCount] = {}
        for one, own in self.deployments.items():
            up, asked = found.get(one.model, EngineCount(0, 0))
            found[one.model] = EngineCount(up + sum(x.is_up for x in own), asked + self._wanted.get(one, 1))
        return found

    def has_places(self) -> bool:
        """Return whether every helper's place is reserved, so that no other actor can take it."""
        return self._places.are_ready()

    def up(self, deployment: Deployment) -> list[Replica]:
        """Return the deployment's actors whose weights are loaded, and whose node stays."""
        return [replica for replica in self.deployments.get(deployment, {}) if replica.is_up]

    def first_up(self, deployment: Deployment) -> Replica | None:
        """Return the first of them."""
        return next((replica for replica in self.deployments.get(deployment, {}) if replica.is_up), None)

    def replicas(self) -> list[Replica]:
        """Return all actors."""
        return list(self._by_name.values())

    def named(self, name: str) -> Replica | None:
        """Return the actor of this name, if it belongs to the pool."""
        return self._by_name.get(name)

    def locate(self) -> None:
        """Ask for the nodes of the actors that are not up: until then a node can change. Of many, some at a time."""
        loading = [one for one in self._loading if one.capabilities is None]
        for replica in sorted(loading, key=lambda one: one.located_s)[:_MOST_PENDING]:
            replica.node, replica.located_s = self.backend.node_of(replica.actor), self.backend.now()

    def unplaced(self) -> list[Replica]:
        """Return the actors that wait for a place, as far as is known."""
        return [one for one in self._loading if one.node is None and one.capabilities is None]

    def all_up(self) -> Iterator[Replica]:
        """Yield every actor whose weights are loaded."""
        return (replica for replica in self._by_name.values() if replica.is_up)

    def came_up(self, replica: Replica, found: Description) -> None:
        """Mark an actor as up."""
        replica.capabilities, notes, _ = found
        self._loading.pop(replica, None)
        replica.node = self.backend.node_of(replica.actor)
        replica.idle_since_s = self.backend.now()
        self._tell("engine_up", replica)
        self.say_notes(replica, notes)
        if not replica.leaving:
            self.on_up(replica)
        self.fill()

    def say_notes(self, replica: Replica, notes: Sequence[str]) -> None:
        """Report the notes of a model's engines, each once."""
        for line in (f"{replica.deployment.model}: {note}" for note in notes):
            if line not in self._said:
                self._said.add(line)
                self.say(line)

    def has(self, replica: Replica) -> bool:
        """Return whether it belongs to the pool: its loss has not been reported."""
        return replica in self.deployments.get(replica.deployment, {})

    def judge(self, replica: Replica, error: Exception, lost: Callable[[], None], crashed: Callable[[], None]) -> None:
        """Call ``lost`` if the actor was lost because its node was, or will be, else ``crashed``; once that is known.

        It is known at once, or in ``settle``.
        """
        if replica.capabilities is None or replica.node is None:  # until it is up, the node can change
            replica.node = self.backend.node_of(replica.actor) or replica.node
        if replica.leaving:
            lost()
        else:
            self.crashes.judge(error, replica.node, lost, crashed)

    def replace(self, replica: Replica, error: Exception) -> None:
        """Start another in the place of a lost actor, unless that is done already."""
        if not self.has(replica):
            return
        self._remove(replica)
        self._in_doubt.append(replica)
        self.judge(replica, error, lost=partial(self._lose, replica), crashed=partial(self._crash, replica, error))
        self.fill()

    def settle(self) -> None:
        """Give the crashes their verdicts, and start the actors that are missing."""
        self.crashes.settle()
        self.fill()

    def _lose(self, replica: Replica) -> None:
        self._in_doubt.remove(replica)
        self._leave(replica, "its node is gone")
        self._kill(replica)

    def _crash(self, replica: Replica, error: Exception) -> None:
        self._in_doubt.remove(replica)
        one = replica.deployment
        self._tell("engine_lost", replica, error=first_line(error))
        if one not in self.deployments:
            return  # it is not needed
        if replica.capabilities is None:
            self._most[one] = self._wanted[one] = max(self._wanted.get(one, 1) - 1, len(self.up(one)))
        if self._losses.add(one) or not self._wanted.get(one, 1):
            self.give_up(one, loss_text(one, error))
        elif replica.capabilities is None:
            self.say(f"{replica.name}: not started again ({loss_text(one, error)})")

    def give_up(self, deployment: Deployment, reason: str) -> None:
        """Start no more actors of the deployment, and say why."""
        self._wanted[deployment] = 0
        self.given_up.add(deployment, reason, self.say)
        self.tell(RunEvent("engine_given_up", model=deployment.model, error=reason))

    def move(self, replica: Replica, when: str) -> None:
        """Start another actor elsewhere; this one takes no new jobs, because its node ends ``when``."""
        self._leave(replica, f"its node will be gone {when}")
        self.fill()

    def _leave(self, replica: Replica, reason: str) -> None:
        if replica.leaving:
            return
        replica.leaving = True
        self.on_end(replica)
        self.preemptions += 1
        self._places.forsake(replica)
        self._tell("engine_moved", replica, text=reason)
        self.say(f"{replica.name}: {reason}; another one is started")

    def end(self, replica: Replica) -> None:
        """End an actor, and release its place unless the next one gets it."""
        self._remove(replica)
        self._tell("engine_ended", replica)
        self._kill(replica)

    def _remove(self, replica: Replica) -> None:
        del self.deployments[replica.deployment][replica]
        del self._by_name[replica.name]
        self._loading.pop(replica, None)
        self.on_end(replica)

    def _kill(self, replica: Replica) -> None:
        self.backend.kill_engine(replica.actor)
        self._places.leave(replica)

    def yield_place(self, used: bool) -> None:
        """If no job runs, and helpers or subjects have waited long for a place that the others hold, end the others.

        They are started again later. This is needed when nodes are lost: those that are left may be full of subjects,
        which wait for a helper; and where two runs share a cluster that is full of both's helpers.
        """
        if used or self.has_places():
            self._placeless_s = None
        else:
            self._yield_subject()
        if used or not self._waits_beside_helpers():
            self._seatless_s = None
        else:
            self._yield_helpers()

    def _yield_subject(self) -> None:
        self._placeless_s = self._placeless_s or self.backend.now()
        subjects = [one for one in self.replicas() if one.deployment.role == SUBJECT and one.node is not None]
        if subjects and self.backend.now() - self._placeless_s > _YIELD_S:
            self._placeless_s = None
            self.say(f"{subjects[-1].name}: its place is needed for a helper")
            self.end(subjects[-1])

    def _waits_beside_helpers(self) -> bool:
        """Return whether helpers have their places, and subjects wait and none has one."""
        own = self.replicas()
        helping, subjects = [
            [one for one in own if (one.deployment.role == SUBJECT) == is_it] for is_it in (False, True)
        ]
        return bool(helping and subjects) and self.has_places() and all(one.node is None for one in subjects)

    def _yield_helpers(self) -> None:
        self._seatless_s = self._seatless_s or self.backend.now()
        if self.backend.now() - self._seatless_s > _HELPERS_YIELD_S * 2**self._yields:
            self._seatless_s, self._yields = None, self._yields + 1
            self._back_at_s = self.backend.now() + random.uniform(*_BACK_OFF_S)
            self.say("No subject gets a place beside this run's helpers: their places are given back for a while.")
            for one in self.replicas():
                self.end(one)
            for deployment in self.deployments:
                self._places.release(deployment)

    def reset_losses(self, deployments: Iterable[Deployment]) -> None:
        """Count losses from 0 again: a job has finished on these."""
        self._losses.reset(deployments)

    def close(self, deployment: Deployment) -> None:
        """End the deployment's actors and release its place."""
        for replica in list(self.deployments.get(deployment, {})):
            self.end(replica)
        self.deployments.pop(deployment, None)
        self._wanted.pop(deployment, None)
        self._places.release(deployment)

    def close_all(self) -> None:
        """End all actors."""
        for deployment in list(self.deployments):
            self.close(deployment)

    def asked(self) -> dict[Deployment, dict[str, float]]:
        """Return what an actor asks for, of each deployment that has none up, and of each helper."""
        found = [one for one in self.deployments if one.role != SUBJECT or self.first_up(one) is None]
        return {one: self.asks(one) for one in found if one not in self.given_up.reasons}

    def waiting(self) -> str:
        """Return a line: which deployments have no replica up, what an actor asks for, and what the cluster has."""
        missing = [one for one in self.deployments if self.first_up(one) is None]
        asked = {f"{one.role} {one.model}": self.backend.words(self.asks(one)) for one in missing}
        if len(set(asked.values())) == 1:
            return f"Not up: {', '.join(asked)}. Each engine asks for {next(iter(asked.values()))}."
        return f"Not up: {', '.join(f'{name} (asks for {demand})' for name, demand in asked.items())}."
