"""Figures that a report can draw from a probe's metrics, as plain data. Knows nothing about pages, plots or colours.

A metric is named as in the estimates: ``metric`` and ``method``. Every figure has a line, a point or a row for each
model (and strategy). The report leaves out a figure if nothing of it was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curve:
    """A metric by position: a line for each model and method.

    With a title it stands among the other curves of its section, task by task. If two curves have the same title, the
    first that was measured is drawn. Without a title the tasks stand side by side.
    """

    title: str
    metric: str
    methods: tuple[str | None, ...]
    """The first is a solid line, a second one dotted."""
    x: str
    y: str
    baseline: str | None = None
    """A metric drawn as a dotted line next to it: a level, or a curve if ``baseline_method`` has positions."""
    baseline_method: str | None = None
    share: bool = True
    """Whether the metric is a share from 0 to 1."""
    note: str = ""
    """Text above the section in which this curve is drawn."""


@dataclass(frozen=True)
class Paired:
    """Two accuracies or shares next to each other, joined by a bar; the dotted tick is chance level."""

    before: str
    """The metric of the open circle."""
    after: str
    """The metric of the filled circle."""
    method: str
    """The method under which both rest on the same rows. Without it, only one metric (with no method) is drawn."""
    labels: tuple[str, str]
    """The meaning of each circle, for the hover text."""
    x: str


@dataclass(frozen=True)
class Differences:
    """A difference by several methods, in points around 0: the first filled, the others open."""

    metric: str
    labels: Mapping[str, str]
    """Method -> the name of the quantity, for the hover text."""
    x: str


@dataclass(frozen=True)
class Matrix:
    """A share for each pair of models: rows are the measured models, columns the models that the method names."""

    metrics: Sequence[str]
    """A later one replaces an earlier one if both were measured."""
    x: str
    y: str
    about: Mapping[str, str] = field(default_factory=dict)
    """Metric -> words: differences that the hover text adds."""


@dataclass(frozen=True)
class Frontier:
    """A metric against dependence on the chain: a point for each model and strategy.

    Dependence is a metric that a probe's words declare as such; the first that was measured is used.
    """

    metric: str
    x: str
    label: str
    """The metric's name, for the hover text."""


@dataclass(frozen=True)
class Lengths:
    """A histogram of the number of steps per chain."""


Drawing = Curve | Paired | Differences | Matrix | Frontier | Lengths
