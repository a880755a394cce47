"""Starts engine actors, with the resources, threads and plug-ins that the run gives each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cotfaith.cluster.fleet.ray_session import Share
from cotfaith.cluster.fleet.replica import Deployment, Replica
from cotfaith.schemas.spec import ModelSpec, ResourceSpec
from cotfaith.workers.actor.remote import EngineActor


@dataclass
class Starter:
    """What every actor of a run is started with."""

    resources: ResourceSpec
    share: Share
    models: Mapping[str, ModelSpec]
    plugins: Sequence[str] = ()
    """Modules that an engine actor imports first."""
    _started: int = 0

    def asked(self) -> dict[str, float]:
        """Return what an actor asks the cluster for, without what it asks none of."""
        return {name: n for name, n in (("CPU", self.share.cpus), ("GPU", self.resources.gpus)) if n}

    def start(self, deployment: Deployment, place: Any) -> Replica:
        """Start an actor in ``place``, or anywhere if that is None; it comes up once the cluster has room for it."""
        options: dict[str, Any] = {
            "num_cpus": self.share.cpus,
            "num_gpus": self.resources.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        if place is not None:
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(place)
        actor_class: Any = ray.remote(EngineActor)
        actor = actor_class.options(**options).remote(self.models[deployment.model], self.share.threads, self.plugins)
        self._started += 1
        return Replica(f"{deployment.model}#{self._started}", deployment, actor, actor.describe.remote(), place=place)

    def demand(self) -> str:
        """Return what an actor asks for, of how much, in words."""
        cluster: Any = ray
        has, free = cluster.cluster_resources(), cluster.available_resources()
        counts = (
            f"{n:g} of {has.get(name, 0):g} {name}s ({free.get(name, 0):g} free)" for name, n in self.asked().items()
        )
        return " and ".join(counts) or "no resources"
