"""What a report says and draws about a probe's metrics, as plain data and text. Knows nothing about pages or plots.

A probe's file in ``cluster/stats/metrics/`` gives one ``Words``; the report finds it by the probe's name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Row = dict[str, Any]
Headlines = Mapping[str, Row]
"""The estimates of one model on one task that are no curves, by metric, or "metric/method"."""
Unit = Literal["%", "points", ""]


@dataclass(frozen=True)
class Column:
    """One column of a table: a metric that is no curve."""

    header: str
    metric: str
    method: str | None
    unit: Unit
    instead: tuple[str | None, ...] = ()
    """Methods that are shown where the first was not measured."""


@dataclass(frozen=True)
class Curve:
    """A metric by position, and how it is drawn: a line for each model, and each method."""

    title: str
    metric: str
    methods: tuple[str, ...]
    """The first is a full line, a second one dotted."""
    x: str
    y: str
    baseline: str | None = None
    """A metric drawn dotted beside it: a level, or by position where ``baseline_method`` has positions."""
    baseline_method: str | None = None
    share: bool = True
    """Whether the metric is a share from 0 to 1."""


@dataclass(frozen=True)
class Words:
    """What the report shows of one probe; a part that is left out is not shown."""

    section: str = "Other probes"
    """Title of the section of the report that its curves, columns and note stand in."""
    curves: Sequence[Curve] = ()
    """Of two with one title the first that was measured is drawn."""
    columns: Sequence[Column] = ()
    note: str = ""
    """What stands above the section's figures, where this probe was run."""
    sentence: Callable[[Headlines], str] | None = None
    """One plain sentence from the estimates; "" where there is nothing to say."""
    rank: int = 100
    """Where it stands among the probes of its section, and its sentence among all: small is first."""
