"""What a metric is: one named quantity, defined once. What is reported is what is validated.

A probe's metrics stand in one file, ``cluster/stats/metrics/<probe>.py``, found by the probe's name. The file gives
scores, one for each chain, step or item; effects and estimates sum those scores, and validation judges the same ones.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import SHARE, Bounds
from cotfaith.cluster.stats.metrics.lib.words import Words
from cotfaith.schemas.errors import SpecError

Claim = Literal["load_bearing", "readable", "verbalises"]
"""load_bearing: the answer depends on the chain's text. readable: its plain words carry what the answer depends on.
verbalises: the chain says what moved the answer."""
Level = Literal["chain", "step"]
LANHAM = "Lanham et al. 2023"
OURS = "ours"
ANY = "*"
"""A metric with a method for each thing of its kind that the rows have: each reader, each status."""


@dataclass(frozen=True)
class Rows:
    """The rows of a run that scores are made of."""

    items: pl.DataFrame
    chains: pl.DataFrame
    observations: pl.DataFrame


@dataclass(frozen=True)
class Judged:
    """How validation judges a metric's scores against labels."""

    claims: Claim
    level: Level
    """What has a label and a score: a chain, or each of its steps."""
    faithful: Literal["high", "low"]
    """Which scores speak for faithfulness."""
    threshold: float
    """The decision rule: a score on the other side of it calls the chain, or the step, unfaithful."""
    rule: str
    """The decision rule in words, and whose it is."""
    source: str
    """Paper and section."""
    stream: str
    """Names the random stream of the AUROC's interval."""
    probes: tuple[str, ...] = ()
    """Probes whose arms it reads, beside its own: what it costs."""


@dataclass(frozen=True)
class Metric:
    """One column pair (``metric``, ``method``) of the estimates."""

    name: str
    method: str | None = None
    """``ANY``: the rows give the methods."""
    bounds: Bounds | None = SHARE
    """Smallest and largest value of one item; None: there are none."""
    unit: Literal["share", "points", "nats", "steps", "ratio"] = "share"
    ratio: bool = False
    """Whether its denominator is a mean itself."""
    of_answers: bool = True
    """Whether it rests on answers, so that near ties can move it."""
    same_as: str | None = None
    """Where the outcomes choose its position: the method that has the same figure at every position."""
    judged: tuple[Judged, ...] = ()

    def __post_init__(self) -> None:
        if self.unit == "points" and self.bounds == SHARE:
            raise SpecError(
                f"The metric {self.title!r} has the unit 'points' and the bounds of a share, {SHARE}. Set bounds, "
                "such as (-1.0, 1.0) for a difference of shares."
            )

    @property
    def title(self) -> str:
        """What it is called where a name must say all: "metric", or "metric/method"."""
        return title(self.name, self.method)

    def under(self, method: str) -> "Metric":
        """Return the metric under one of the methods that the rows give."""
        return replace(self, method=method)


@dataclass(frozen=True)
class ProbeMetrics:
    """All that one probe's rows mean."""

    probe: str | None
    """None: what is said of the chains themselves, and of all rows alike."""
    metrics: tuple[Metric, ...]
    scores: Callable[[Rows], Iterable[pl.DataFrame]]
    """Frames of scores, as ``frame.scores`` makes them: one metric and method each."""
    words: Words = field(default_factory=Words)
    reference: str | None = None
    """Condition of the arm that the probe's other arms of the same rollout compare their answers with; None: they
    compare with the chain's own answer."""

    @property
    def name(self) -> str:
        """What they are registered as: the probe's name."""
        return self.probe or "chains"

    @property
    def summary(self) -> str:
        """The names of the metrics, in one line."""
        return ", ".join(dict.fromkeys(metric.name for metric in self.metrics))

    @property
    def module(self) -> str:
        """The module of their code."""
        return self.scores.__module__


def title(name: str, method: str | None) -> str:
    """Return "metric", or "metric/method"."""
    return name if method is None else f"{name}/{method}"
