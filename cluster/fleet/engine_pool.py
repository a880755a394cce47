"""Engine actors by deployment: starts them, replaces lost ones, ends them. Knows nothing about jobs.

A deployment is a model in a role, and its replicas are actors. A subject or reader has as many replicas as the spec
says. A helper (an editor or embedder model) has one, which serves all subjects, and a place that is reserved for it.

A loss of an actor by the loss of its node is a preemption: it is counted apart, and no number of them ends the run. As
long as it is not known which it is (``crashes``), nothing is counted. A subject is replaced at once, and a helper once
it is known where its place is.

A deployment whose actors crash too often, or of which none comes up, is given up: it gets no more actors. An actor that
does not come up while another of its deployment does, or still may, is not replaced.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError

from cotfaith.cluster.fleet.crashes import Crashes
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.losses import Losses, loss_text
from cotfaith.cluster.fleet.nodes import Nodes
from cotfaith.cluster.fleet.places import Places
from cotfaith.cluster.fleet.replica import Replica
from cotfaith.cluster.fleet.starter import Starter

_YIELD_S = 10.0
"""Seconds that a helper waits for a place before an idle subject's actor is ended for it."""


@dataclass
class EnginePool:
    """All actors of a run."""

    starter: Starter
    say: Callable[[str], None]
    nodes: Nodes = field(default_factory=Nodes)
    given_up: GivenUp = field(default_factory=GivenUp)
    preemptions: int = 0
    """Actors that were lost with their node, or moved off it."""
    deployments: dict[Deployment, list[Replica]] = field(default_factory=dict)
    crashes: Crashes = field(init=False)
    """The crashes of actors and tasks that wait for the verdict on their nodes."""
    _wanted: dict[Deployment, int] = field(default_factory=dict)
    _in_doubt: list[Replica] = field(default_factory=list)
    """Lost actors, until it is known whether their nodes were lost."""
    _places: Places = field(default_factory=Places)
    _losses: Losses = field(init=False)
    _placeless_s: float | None = None
    """Since when a helper waits for its place."""
    _said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.crashes = Crashes(self.nodes)
        self._losses = Losses(self.starter.setups)

    def open(self, deployment: Deployment, count: int) -> None:
        """Request ``count`` actors; each comes up once the cluster has a place for it."""
        self._wanted[deployment] = count
        self.deployments[deployment] = []
        self.fill()

    def fill(self) -> None:
        """Start the actors that are missing: helpers, then subjects, which wait until helpers' places are reserved."""
        for one in sorted(self.deployments, key=lambda one: one.role == SUBJECT):
            staying = sum(not replica.leaving for replica in self.deployments[one])
            missing = self._wanted.get(one, 1) - staying - self._unplaced(one)
            if missing > 0 and (one.role != SUBJECT or self.has_places()):
                self.deployments[one] += [self._start(one) for _ in range(missing)]

    def _unplaced(self, deployment: Deployment) -> int:
        """Return how many of its lost actors have a place that may be lost too."""
        return sum(one.deployment == deployment and one.place is not None for one in self._in_doubt)

    def _start(self, deployment: Deployment) -> Replica:
        return self.starter.start(deployment, self._places.reserve(deployment, self.starter.asked(deployment)))

    def has_places(self) -> bool:
        """Return whether every helper's place is reserved, so that no other actor can take it."""
        return self._places.are_ready()

    def up(self, deployment: Deployment) -> list[Replica]:
        """Return the deployment's actors whose weights are loaded, and whose node stays."""
        found = self.deployments.get(deployment, [])
        return [replica for replica in found if replica.capabilities is not None and not replica.leaving]

    def replicas(self) -> list[Replica]:
        """Return all actors."""
        return [replica for found in self.deployments.values() for replica in found]

    def locate(self) -> None:
        """Ask Ray for the nodes of the actors that are not up, or were not asked for."""
        for replica in self.replicas():
            replica.locate()

    def all_up(self) -> Iterator[Replica]:
        """Yield every actor whose weights are loaded."""
        for deployment in self.deployments:
            yield from self.up(deployment)

    def loading(self) -> dict[Any, Replica]:
        """Return the actors that are not up, by the reference that resolves when they are."""
        return {one.ready: one for one in self.replicas() if one.capabilities is None}

    def mark_ready(self, replica: Replica) -> None:
        """Mark an actor with a resolved ``ready`` as up, or replace it; report each note of a model's engines once."""
        try:
            replica.capabilities, notes = ray.get(replica.ready)
        except (RayActorError, OutOfMemoryError) as error:
            self.replace(replica, error)
            return
        replica.locate(again=True)
        self.say_notes(replica, notes)

    def say_notes(self, replica: Replica, notes: Sequence[str]) -> None:
        """Report the notes of a model's engines, each once."""
        for line in (f"{replica.deployment.model}: {note}" for note in notes):
            if line not in self._said:
                self._said.add(line)
                self.say(line)

    def has(self, replica: Replica) -> bool:
        """Return whether it belongs to the pool: its loss has not been reported."""
        return replica in self.deployments.get(replica.deployment, [])

    def judge(self, replica: Replica, error: Exception, lost: Callable[[], None], crashed: Callable[[], None]) -> None:
        """Call ``lost`` if the actor was lost because its node was, or will be, else ``crashed``; once that is known.

        It is known at once, or in ``settle``.
        """
        replica.locate()
        if replica.leaving:
            lost()
        else:
            self.crashes.judge(error, replica.node, lost, crashed)

    def replace(self, replica: Replica, error: Exception) -> None:
        """Start another in the place of a lost actor, unless that is done already."""
        if not self.has(replica):
            return
        self.deployments[replica.deployment].remove(replica)
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
        if one not in self.deployments:
            return  # it is not needed
        if replica.capabilities is None:
            self._wanted[one] = max(self._wanted.get(one, 1) - 1, len(self.up(one)))
        if self._losses.add(one) or not self._wanted.get(one, 1):
            self.give_up(one, loss_text(one, error))
        elif replica.capabilities is None:
            self.say(f"{replica.name}: not started again ({loss_text(one, error)})")

    def give_up(self, deployment: Deployment, reason: str) -> None:
        """Start no more actors of the deployment, and say why."""
        self._wanted[deployment] = 0
        self.given_up.add(deployment, reason, self.say)

    def move(self, replica: Replica, when: str) -> None:
        """Start another actor elsewhere; this one takes no new jobs, because its node ends ``when``."""
        self._leave(replica, f"its node will be gone {when}")
        self.fill()

    def _leave(self, replica: Replica, reason: str) -> None:
        if replica.leaving:
            return
        replica.leaving = True
        self.preemptions += 1
        self._places.forsake(replica)
        self.say(f"{replica.name}: {reason}; another one is started")

    def end(self, replica: Replica) -> None:
        """End an actor, and release its place unless the next one gets it."""
        self.deployments[replica.deployment].remove(replica)
        self._kill(replica)

    def _kill(self, replica: Replica) -> None:
        ray.kill(replica.actor)
        self._places.leave(replica)

    def yield_place(self, used: Set[Replica]) -> None:
        """If a helper has waited long for its place and no job runs, end a subject's actor; it is started again later.

        This is needed when nodes are lost: those that are left may be full of subjects, which wait for the helper.
        """
        if used or self.has_places():
            self._placeless_s = None
            return
        self._placeless_s = self._placeless_s or monotonic()
        subjects = [one for one in self.replicas() if one.deployment.role == SUBJECT and one.node is not None]
        if subjects and monotonic() - self._placeless_s > _YIELD_S:
            self._placeless_s = None
            self.say(f"{subjects[-1].name}: its place is needed for a helper")
            self.end(subjects[-1])

    def reset_losses(self, deployments: Iterable[Deployment]) -> None:
        """Count losses from 0 again: a job has finished on these."""
        self._losses.reset(deployments)

    def close(self, deployment: Deployment) -> None:
        """End the deployment's actors and release its place."""
        for replica in list(self.deployments.get(deployment, [])):
            self.end(replica)
        self.deployments.pop(deployment, None)
        self._places.release(deployment)

    def close_all(self) -> None:
        """End all actors."""
        for deployment in list(self.deployments):
            self.close(deployment)

    def asked(self) -> dict[Deployment, dict[str, float]]:
        """Return what an actor asks for, of each deployment that has none up, and of each helper."""
        found = [one for one in self.deployments if one.role != SUBJECT or not self.up(one)]
        return {one: self.starter.asked(one) for one in found if one not in self.given_up.reasons}

    def waiting(self) -> str:
        """Return a line: which deployments have no replica up, what an actor asks for, and what the cluster has."""
        return self.starter.waiting([one for one in self.deployments if not self.up(one)])
