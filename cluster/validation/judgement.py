"""Labelled chains -> figures: each metric's AUROC and bias, over all chains, by setting, by chain length, by model.

In: ``Labelled`` chains, and the registry's scores. Out: ``Figure`` rows. Bias compares the share that the metric's own
decision rule calls unfaithful with the share that is. A metric's missing scores are counted, never guessed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cotfaith.cluster.validation.auroc import auroc
from cotfaith.cluster.validation.labelled import Labelled
from cotfaith.cluster.validation.metrics import JudgedMetric, judged_metrics
from cotfaith.cluster.validation.scored import Scored
from cotfaith.schemas.seeds import derive_seed

Kind = Literal["all", "within", "setting", "steps", "model"]
"""within: all labels, and only pairs of the same model and task are compared."""
LENGTHS = ((1, 2), (3, 4), (5, 8), (9, None))
"""Bins of chain length in steps, both ends included."""


@dataclass(frozen=True)
class Point:
    """One label, with a metric's score."""

    score: float | None
    """The same score as in the estimates."""
    faithful: bool
    cluster: str
    model: str
    task: str
    setting: str
    n_steps: int


@dataclass(frozen=True)
class Group:
    """Labels that are judged together."""

    kind: Kind
    member: str
    points: Sequence[Point]

    @property
    def name(self) -> str:
        """Its name in tables and random streams."""
        return f"{self.kind}={self.member}" if self.member else self.kind


@dataclass(frozen=True)
class Figure:
    """The performance of one metric on one group."""

    metric: str
    level: str
    group: str
    """all, setting=..., steps=..., model=..."""
    kind: Kind
    """What the group has in common."""
    member: str
    """Which setting, length or model; empty for all."""
    auroc: float | None
    low: float | None
    high: float | None
    reason: str
    """Why there is no AUROC, or no interval."""
    called_unfaithful: float | None
    """Share of the scored labels that the decision rule calls unfaithful."""
    n_faithful: int
    n_unfaithful: int
    n_clusters: int
    n_missing: int
    """Labels without a score; they are not in the other counts."""


def points(labelled: Sequence[Labelled], tested: JudgedMetric, scored: Scored) -> list[Point]:
    """Return every label of the metric's level with its score."""
    return [point for one in labelled for point in _points(one, tested, scored)]


def _points(one: Labelled, tested: JudgedMetric, scored: Scored) -> Iterable[Point]:
    key, n_steps = one.usable.key, one.usable.n_steps
    of_chain = tested.judged.level == "chain"
    scores = (scored.chain(tested.name, key),) if of_chain else scored.each_step(tested.name, key, n_steps)
    for score, label in zip(scores, (one.faithful,) if of_chain else one.steps, strict=True):
        if label is not None:
            yield Point(score, label, one.cluster, one.usable.model, one.usable.task, one.setting, n_steps)


def figures(labelled: Sequence[Labelled], scored: Scored, seed: int) -> list[Figure]:
    """Return every metric's figures."""
    found = []
    for tested in judged_metrics():
        every = points(labelled, tested, scored)
        found += [figure(tested, group, seed) for group in _groups(every)]
    return found


def figure(tested: JudgedMetric, group: Group, seed: int, stream: str | None = None) -> Figure:
    """Return the figure of one group; ``stream`` names the random stream of its interval (default: the group)."""
    scored = [(point, point.score) for point in group.points if point.score is not None]
    labels = [point.faithful for point, _ in scored]
    clusters = [point.cluster for point, _ in scored]
    outlooks = [tested.outlook(score) for _, score in scored]
    strata = [(point.model, point.task) for point, _ in scored] if group.kind == "within" else None
    own_seed = derive_seed(seed, "auroc", tested.judged.stream, stream or group.name)
    area = auroc(outlooks, labels, clusters, own_seed, strata=strata)
    called = sum(tested.calls_unfaithful(score) for _, score in scored)
    return Figure(
        metric=tested.name,
        level=tested.judged.level,
        group=group.name,
        kind=group.kind,
        member=group.member,
        auroc=area.value,
        low=area.low,
        high=area.high,
        reason=area.reason,
        called_unfaithful=called / len(scored) if scored else None,
        n_faithful=sum(labels),
        n_unfaithful=len(labels) - sum(labels),
        n_clusters=len(set(clusters)),
        n_missing=len(group.points) - len(scored),
    )


def _groups(every: Sequence[Point]) -> list[Group]:
    groups = [Group("setting", s, [p for p in every if p.setting == s]) for s in sorted({p.setting for p in every})]
    groups += [Group("steps", _span(*ends), [p for p in every if _within(p.n_steps, *ends)]) for ends in LENGTHS]
    groups += [Group("model", m, [p for p in every if p.model == m]) for m in sorted({p.model for p in every})]
    return [Group("all", "", list(every)), *(group for group in groups if group.points)]


def _within(n_steps: int, low: int, high: int | None) -> bool:
    return low <= n_steps and (high is None or n_steps <= high)


def _span(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else f"{low}-{high}"


SPANS = tuple(_span(*ends) for ends in LENGTHS)
"""The names of the bins, shortest first."""
