"""Figures that a report can draw of a probe's metrics, as plain data. Knows nothing about pages, plots or colours.

A metric is named as in the estimates: ``metric`` and ``method``. Every figure has a line, a point or a row for each
model (and strategy); the report leaves out a figure of which nothing was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curve:
    """A metric by position: a line for each model, and each method.

    With a title it stands among the other curves of its section, task by task; of two with one title, the first that
    was measured is drawn. Without a title the tasks stand side by side.
    """

    title: str
    metric: str
    methods: tuple[str | None, ...]
    """The first is a full line, a second one dotted."""
    x: str
    y: str
    baseline: str | None = None
    """A metric drawn dotted beside it: a level, or by position where ``baseline_method`` has positions."""
    baseline_method: str | None = None
    share: bool = True
    """Whether the metric is a share from 0 to 1."""
    note: str = ""
    """Stands above the section where this curve is drawn."""


@dataclass(frozen=True)
class Paired:
    """Two accuracies or shares beside each other, joined by a bar; the dotted tick is guessing."""

    before: str
    """The metric of the open circle."""
    after: str
    """The metric of the filled circle."""
    method: str
    """The method by which both rest on the same rows; where they do not, only one metric is drawn, without method."""
    labels: tuple[str, str]
    """What each circle is, for the text under the pointer."""
    x: str


@dataclass(frozen=True)
class Differences:
    """A difference by several methods, in points around 0: the first filled, the others open."""

    metric: str
    labels: Mapping[str, str]
    """Method -> what it is of, for the text under the pointer."""
    x: str


@dataclass(frozen=True)
class Matrix:
    """A share for each pair of models: rows are the measured models, columns the models that the method names."""

    metrics: Sequence[str]
    """A later one replaces an earlier one where both were measured."""
    x: str
    y: str
    about: Mapping[str, str] = field(default_factory=dict)
    """Metric -> words: differences that the text under the pointer adds."""


@dataclass(frozen=True)
class Frontier:
    """A metric against dependence on the chain: a point for each model and strategy.

    Dependence is what the probes' words declare as such: the first that was measured.
    """

    metric: str
    x: str
    label: str
    """What the metric is, for the text under the pointer."""


@dataclass(frozen=True)
class Lengths:
    """A histogram of the chains' numbers of steps."""


Drawing = Curve | Paired | Differences | Matrix | Frontier | Lengths
