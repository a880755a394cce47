"""The deployments that jobs need, how many of their actors run at the same time, and what each actor gets.

In: a plan, and jobs. Out: a ``Setup`` for each model: its spec, its resources and its share of the CPUs. At the same
time there is room for the replicas of one model that answers, and for all helpers. Starts nothing; knows nothing about
Ray.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.machine import local_cores
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.portable import portable_model
from cotfaith.cluster.plan.roles import helpers
from cotfaith.schemas.spec import ModelSpec, ResourceSpec, RunSpec
from cotfaith.workers.resolved import ResolvedProbe

SUBJECT = "subject"


class Deployment(NamedTuple):
    """A model in a role."""

    role: str
    model: str

    @property
    def words(self) -> str:
        """Its name in messages: the model of a subject or reader, else the helper by its role."""
        return f"{'model' if self.role == SUBJECT else self.role} {self.model!r}"


Needed = dict[str, Deployment]
"""Role in a job -> the deployment that serves it."""


@dataclass(frozen=True)
class Share:
    """What one engine actor gets of the CPUs."""

    cpus: float
    threads: int
    """Torch threads."""


@dataclass(frozen=True)
class Setup:
    """What every actor of a model is started with."""

    model: ModelSpec
    share: Share
    resources: ResourceSpec = field(default_factory=ResourceSpec)
    """The run's, with what the model overrides."""

    def asked(self) -> dict[str, float]:
        """Return what an actor asks the cluster for, without what it asks none of."""
        return {name: n for name, n in (("CPU", self.share.cpus), ("GPU", self.resources.gpus)) if n}

    @property
    def started(self) -> ModelSpec:
        """The model as its engine is given it: with absolute paths, and what its engine reads of its resources."""
        own = self.model.resources.model_copy(update={"gpus": self.resources.gpus, "pin": self.resources.pin})
        return portable_model(self.model).model_copy(update={"resources": own})


def engine_share(resources: ResourceSpec, actors: int) -> Share:
    """Return the share of each of ``actors`` engine actors. Default: an equal part of our cores; 1 CPU on a cluster."""
    cpus = resources.cpus
    if cpus is None:
        cpus = 1 if resources.ray_address else max(1, local_cores() // actors)
    return Share(cpus, resources.threads or max(1, int(cpus)))


def setups(spec: RunSpec, deployments: Collection[Deployment]) -> dict[str, Setup]:
    """Return each model's setup, if engines of these deployments are needed."""
    found = {model.id: spec.resources.of(model) for model in spec.models}
    actors = _actors(found, deployments)
    return {model.id: Setup(model, engine_share(found[model.id], actors), found[model.id]) for model in spec.models}


def actors_at_once(plan: Plan, jobs: Sequence[Job]) -> int:
    """Return how many engine actors need a place at the same time: one subject's replicas, and all helpers."""
    resources = {model.id: plan.spec.resources.of(model) for model in plan.spec.models}
    return _actors(resources, needed_by(plan, jobs))


def cpus_at_once(plan: Plan, deployments: Collection[Deployment]) -> float:
    """Return the CPUs of the actors that need a place at the same time."""
    made = setups(plan.spec, deployments)
    answering = [made[one.model] for one in deployments if one.role == SUBJECT]
    helping = sum(made[one.model].share.cpus for one in deployments if one.role != SUBJECT)
    return helping + max((one.resources.replicas.max * one.share.cpus for one in answering), default=0)


def _actors(resources: Mapping[str, ResourceSpec], deployments: Iterable[Deployment]) -> int:
    found = set(deployments)
    answering = [resources[one.model].replicas.max for one in found if one.role == SUBJECT]
    return max(answering, default=1) + sum(one.role != SUBJECT for one in found)


def needed_by(plan: Plan, jobs: Iterable[Job]) -> set[Deployment]:
    """Return all deployments that jobs need."""
    return {one for job in jobs for one in needed(plan, job).values()}


def needed(plan: Plan, job: Job) -> Needed:
    """Return the deployments that a job needs."""
    return needed_for(plan, job.model, [probe for probe in plan.probes if probe.name in job.probes])


def needed_for(plan: Plan, model: str, probes: Iterable[ResolvedProbe]) -> Needed:
    """Return the deployments that ``model`` needs to answer in ``probes``.

    A model that helps with its own chains uses the engine that answers.
    """
    answers = plan.model(model)
    helping = helpers(plan.spec, answers, probes)
    found = {role: Deployment(SUBJECT if one.id == model else role, one.id) for role, one in helping.items()}
    return {SUBJECT: Deployment(SUBJECT, model), **found}


def stages(plan: Plan) -> list[frozenset[Deployment]]:
    """Return the deployments that the whole plan needs: for the subjects' chains and probes, then for readings."""
    own = [probe for probe in plan.probes if not probe.kind.readers]
    readers = {reader for probe in plan.probes for reader in probe.readers}
    return [
        frozenset(one for model in plan.spec.subjects for one in needed_for(plan, model.id, own).values()),
        frozenset(
            one
            for name in readers
            for one in needed_for(plan, name, [probe for probe in plan.probes if name in probe.readers]).values()
        ),
    ]


def engine_cpus(plan: Plan) -> dict[str, float]:
    """Return model -> the CPUs of one of its engines, in the first stage that needs it."""
    found: dict[str, float] = {}
    for needed_then in stages(plan):
        made = setups(plan.spec, needed_then)
        found = {one.model: made[one.model].share.cpus for one in needed_then} | found
    return found
