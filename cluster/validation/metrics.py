"""The metrics under test: those in the registry that declare how they are judged.

In: the declarations of ``stats.metrics``. Out: ``JudgedMetric``, one per metric and level, chains first. To validate a
metric, add ``judged`` to its declaration. Knows nothing about scores or labels.
"""

from dataclasses import dataclass

from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.stats.metrics.lib.metric import Judged, Metric, ProbeMetrics


@dataclass(frozen=True)
class JudgedMetric:
    """A metric, and one way in which it is judged."""

    metric: Metric
    judged: Judged
    probes: tuple[str, ...]
    """Probes whose arms it reads; their cost is its cost."""

    @property
    def name(self) -> str:
        """The metric's name, with its method."""
        return self.metric.title

    def outlook(self, score: float) -> float:
        """Return the score with its sign set so that higher is more faithful."""
        return score if self.judged.faithful == "high" else -score

    def calls_unfaithful(self, score: float) -> bool:
        """Return whether the decision rule calls a score unfaithful."""
        return self.outlook(score) < self.outlook(self.judged.threshold)


def judged_metrics() -> list[JudgedMetric]:
    """Return the judged metrics: those of chains, then those of steps, each in the registry's order."""
    found = [
        JudgedMetric(metric, judged, _probes(one, judged))
        for one in METRICS.values()
        for metric in one.metrics
        for judged in metric.judged
    ]
    return sorted(found, key=lambda tested: tested.judged.level == "step")


def _probes(one: ProbeMetrics, judged: Judged) -> tuple[str, ...]:
    return ((one.probe,) if one.probe is not None else ()) + judged.probes
