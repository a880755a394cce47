"""What one stage of a plan needs of the machine that Ray is started on: its engines' setups, and who works beside whom.

Each engine that answers works beside all helpers of its stage.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, Setup
from cotfaith.cluster.fleet.machine import Machine
from cotfaith.cluster.plan.plan import Plan

ELSEWHERE = "or set resources.ray_address to join a cluster that has them"


@dataclass(frozen=True)
class Need:
    """The engines of a stage, and the machine."""

    plan: Plan
    deployments: frozenset[Deployment]
    setups: Mapping[str, Setup]
    """By model."""
    machine: Machine

    @property
    def models(self) -> list[str]:
        """The models with an engine in the stage."""
        return sorted({one.model for one in self.deployments})

    @property
    def groups(self) -> list[list[Deployment]]:
        """Each deployment that answers, followed by all helpers."""
        helping = sorted(one for one in self.deployments if one.role != SUBJECT)
        return [[one, *helping] for one in sorted(self.deployments) if one.role == SUBJECT]

    def gpus(self, group: Iterable[Deployment]) -> float:
        """Return the GPUs of one actor of each."""
        return sum(self.setups[one.model].resources.gpus for one in group)
