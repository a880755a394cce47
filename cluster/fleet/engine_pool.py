"""Engine actors by deployment: starts them, replaces lost ones, ends them. Knows nothing about jobs.

A deployment is a model in a role, and its replicas are actors. A subject or reader has as many replicas as the spec
says. A helper (an editor or embedder model) has one, which serves all subjects; its place in the cluster is reserved as
long as the deployment lasts. Otherwise a subject's actor that waits for room could take the place of a helper that was
lost, and the two would wait for each other forever. A place on a node that leaves is made again elsewhere.

A loss of an actor by the loss of its node is a preemption: it is counted apart, and no number of them ends the run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

import ray
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cotfaith.cluster.fleet.nodes import Nodes, node_of
from cotfaith.cluster.fleet.ray_session import Share
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.spec import ModelSpec, ResourceSpec
from cotfaith.workers.actor.remote import EngineActor, RemoteEngine
from cotfaith.workers.engines.protocol import Capabilities

SUBJECT = "subject"
_MAX_LOSSES = 3  # in a row, without a finished job between them
_YIELD_S = 10.0
"""Seconds that a helper waits for a place before an idle subject's actor is ended for it."""


class Deployment(NamedTuple):
    """A model in a role."""

    role: str
    model: str


@dataclass(eq=False)
class Replica:
    """One engine actor of a deployment, as the scheduler sees it."""

    name: str
    deployment: Deployment
    actor: Any
    ready: Any
    """Reference to its description; resolved once the weights are loaded."""
    capabilities: Capabilities | None = None
    busy: int = 0
    """Jobs for which it is the engine that answers."""
    exclusive: bool = False
    """Whether it takes no other job while one runs on it."""
    place: Any = None
    """The placement group that it is in, if it is a helper's."""
    node: str | None = None
    """The node that it is on; None: not known yet."""
    leaving: bool = False
    """Whether its node drains: it takes no new jobs, and another has its place in the deployment."""

    def remote(self) -> RemoteEngine:
        """Return its stand-in for a shard task."""
        assert self.capabilities is not None, "only engines that are up get jobs"
        return RemoteEngine(self.actor, self.capabilities)


@dataclass
class EnginePool:
    """All actors of a run."""

    resources: ResourceSpec
    share: Share
    models: Mapping[str, ModelSpec]
    say: Callable[[str], None]
    plugins: Sequence[str] = ()
    """Modules that an engine actor imports first."""
    nodes: Nodes = field(default_factory=Nodes)
    preemptions: int = 0
    """Actors that were lost with their node, or moved off it."""
    deployments: dict[Deployment, list[Replica]] = field(default_factory=dict)
    _wanted: dict[Deployment, int] = field(default_factory=dict)
    _places: dict[Deployment, Any] = field(default_factory=dict)
    """Deployment of a helper -> the placement group that reserves its place."""
    _losses: dict[Deployment, int] = field(default_factory=dict)
    _placeless_s: float | None = None
    """Since when a helper waits for its place."""
    _started: int = 0
    _said: set[str] = field(default_factory=set)

    def open(self, deployment: Deployment, count: int) -> None:
        """Request ``count`` actors; each comes up once the cluster has a place for it."""
        self._wanted[deployment] = count
        self.deployments[deployment] = []
        self.fill()

    def fill(self) -> None:
        """Start the actors that are missing: helpers, then subjects, which wait until helpers' places are reserved."""
        for one in sorted(self.deployments, key=lambda one: one.role == SUBJECT):
            missing = self._wanted.get(one, 1) - sum(not replica.leaving for replica in self.deployments[one])
            if missing > 0 and (one.role != SUBJECT or self.has_places()):
                self.deployments[one] += [self._start(one) for _ in range(missing)]

    def _start(self, deployment: Deployment) -> Replica:
        asked = {"CPU": self.share.cpus, "GPU": self.resources.gpus}
        if deployment.role != SUBJECT and any(asked.values()) and deployment not in self._places:
            self._places[deployment] = placement_group([{name: n for name, n in asked.items() if n}])
        options: dict[str, Any] = {
            "num_cpus": self.share.cpus,
            "num_gpus": self.resources.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        place = self._places.get(deployment)
        if place is not None:
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(place)
        actor_class: Any = ray.remote(EngineActor)
        actor = actor_class.options(**options).remote(self.models[deployment.model], self.share.threads, self.plugins)
        self._started += 1
        return Replica(f"{deployment.model}#{self._started}", deployment, actor, actor.describe.remote(), place=place)

    def has_places(self) -> bool:
        """Return whether every helper's place is reserved, so that no other actor can take it."""
        return all(place.wait(0) for place in self._places.values())

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
            _locate(replica)

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
        _locate(replica, again=True)
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

    def preempted(self, replica: Replica, error: Exception) -> bool:
        """Return whether the actor was lost because its node was, or will be."""
        _locate(replica)
        return replica.leaving or self.nodes.took(replica.node, error)

    def replace(self, replica: Replica, error: Exception) -> None:
        """Start another in the place of a lost actor, unless that is done already.

        Raises:
            RunFailedError: it never came up, or too many were lost one after another; preemptions do not count.

        """
        if not self.has(replica):
            return
        if self.preempted(replica, error):
            self._leave(replica, "its node is gone")
            self.end(replica)
        else:
            self._count_loss(replica, error)
        self.fill()

    def move(self, replica: Replica, when: str) -> None:
        """Start another actor elsewhere; this one takes no new jobs, because its node ends ``when``."""
        self._leave(replica, f"its node will be gone {when}")
        self.fill()

    def _leave(self, replica: Replica, reason: str) -> None:
        if replica.leaving:
            return
        replica.leaving = True
        self.preemptions += 1
        if replica.place is not None and self._places.get(replica.deployment) is replica.place:
            del self._places[replica.deployment]  # the next actor gets a place on another node
        self.say(f"{replica.name}: {reason}; another one is started")

    def end(self, replica: Replica) -> None:
        """End an actor, and release its place unless the next one gets it."""
        self.deployments[replica.deployment].remove(replica)
        ray.kill(replica.actor)
        if replica.place is not None and replica.place is not self._places.get(replica.deployment):
            remove_placement_group(replica.place)

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

    def _count_loss(self, replica: Replica, error: Exception) -> None:
        self.deployments[replica.deployment].remove(replica)
        self._losses[replica.deployment] = self._losses.get(replica.deployment, 0) + 1
        halvings = self.resources.shard_size.bit_length()  # until the item that ends its engine is found
        limit = _MAX_LOSSES * self.resources.replicas + self.resources.attempts + halvings
        if replica.capabilities is None or self._losses[replica.deployment] > limit:
            # Ray's text on memory begins with what happened and ends with advice; others end with the cause.
            reason = first_line(error, last=not isinstance(error, OutOfMemoryError))
            raise RunFailedError(f"The engine of model {replica.deployment.model!r} cannot be kept up: {reason}")

    def reset_losses(self, deployments: Iterable[Deployment]) -> None:
        """Count losses from 0 again: a job has finished on these."""
        self._losses |= dict.fromkeys(deployments, 0)

    def close(self, deployment: Deployment) -> None:
        """End the deployment's actors and release its place."""
        for replica in list(self.deployments.get(deployment, [])):
            self.end(replica)
        self.deployments.pop(deployment, None)
        if deployment in self._places:
            remove_placement_group(self._places.pop(deployment))

    def close_all(self) -> None:
        """End all actors."""
        for deployment in list(self.deployments):
            self.close(deployment)

    def waiting(self) -> str:
        """Return a line: which deployments have no replica up, what an actor asks for, and what the cluster has."""
        missing = ", ".join(f"{one.role} {one.model}" for one in self.deployments if not self.up(one))
        cluster: Any = ray
        has, free = cluster.cluster_resources(), cluster.available_resources()
        asked = {name: n for name, n in (("CPU", self.share.cpus), ("GPU", self.resources.gpus)) if n}
        counts = [f"{n:g} of {has.get(name, 0):g} {name}s ({free.get(name, 0):g} free)" for name, n in asked.items()]
        return f"Not up: {missing}. Each engine asks for {' and '.join(counts) or 'no resources'}."


def _locate(replica: Replica, again: bool = False) -> None:
    """Set the replica's node; until it is up, the node can change."""
    if replica.actor is not None and (again or replica.node is None or replica.capabilities is None):
        replica.node = node_of(replica.actor)


def first_line(error: Exception, last: bool = False) -> str:
    """Return the first (or last) line of an error's text."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[-1] if last else lines[0]) if lines else type(cause).__name__
