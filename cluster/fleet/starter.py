"""Starts engine actors, each with its model's setup and the run's plug-ins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cotfaith.cluster.fleet.deployments import Deployment, Setup
from cotfaith.cluster.fleet.replica import Replica
from cotfaith.workers.actor.remote import EngineActor


@dataclass
class Starter:
    """What the actors of a run are started with."""

    setups: Mapping[str, Setup]
    """By model."""
    plugins: Sequence[str] = ()
    """Modules that an engine actor imports first."""
    _started: int = 0

    def asked(self, deployment: Deployment) -> dict[str, float]:
        """Return what an actor of the deployment asks the cluster for."""
        return self.setups[deployment.model].asked()

    def start(self, deployment: Deployment, place: Any) -> Replica:
        """Start an actor in ``place``, or anywhere if that is None; it comes up once the cluster has room for it."""
        setup = self.setups[deployment.model]
        options: dict[str, Any] = {
            "num_cpus": setup.share.cpus,
            "num_gpus": setup.resources.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        if place is not None:
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(place)
        actor_class: Any = ray.remote(EngineActor)
        actor = actor_class.options(**options).remote(setup.started, setup.share.threads, self.plugins)
        self._started += 1
        return Replica(f"{deployment.model}#{self._started}", deployment, actor, actor.describe.remote(), place=place)

    def waiting(self, missing: Sequence[Deployment]) -> str:
        """Return a line: which deployments have no replica up, what an actor asks for, and what the cluster has."""
        asked = {f"{one.role} {one.model}": self._demand(one) for one in missing}
        if len(set(asked.values())) == 1:
            return f"Not up: {', '.join(asked)}. Each engine asks for {next(iter(asked.values()))}."
        return f"Not up: {', '.join(f'{name} (asks for {demand})' for name, demand in asked.items())}."

    def _demand(self, deployment: Deployment) -> str:
        """Return what an actor of the deployment asks for, of how much, in words."""
        cluster: Any = ray
        has, free = cluster.cluster_resources(), cluster.available_resources()
        counts = (
            f"{n:g} of {has.get(name, 0):g} {name}s ({free.get(name, 0):g} free)"
            for name, n in self.asked(deployment).items()
        )
        return " and ".join(counts) or "no resources"
