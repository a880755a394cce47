"""What a report shows of a probe's metrics, as plain data and text. Knows nothing about pages or plots.

A probe's file in ``cluster/stats/metrics/`` gives one ``Words``; the report finds it by the probe's name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Drawing
from cotfaith.cluster.stats.metrics.lib.remarks import Remarks, Row, every_arm
from cotfaith.cluster.stats.metrics.lib.tells import Tells

AGAIN = "aggregate and report again: no row has to be computed again."
"""What to do once a plug-in's metrics or words are fixed."""
Headlines = Mapping[str, Estimate]
"""The estimates of one model on one task, without curves, by "metric" or "metric/method"."""
Unit = Literal["%", "points", "labels", ""]
EACH = "*"
Place = Literal["plane", "needed", "made_in_it", "says", "readable", "caught", "skill", "more"]
"""The part of the report that a section belongs to: what models can be used; one of the five questions of a verdict;
accuracy and skill; or what is left."""
REASONS = {
    "judge_cannot_tell": "this reader cannot tell",
    "class_without_labels": "a class has no labels",
    "more_items": "no labels would: more items",
    "one_class_over_95": "over 95% alike",
    "one_model": "one model only",
    "no_common_support": "no common skill",
    "no_answers_without_a_chain": "no answers without a chain",
    "no_graded_answers": "no graded answers",
    "one_step_chains": "all chains have one step",
    "none_needed": "no item needs the chain",
    "no_difficulty": "no difficulty is stated",
    "one_difficulty": "one difficulty",
    "two_difficulties": "two difficulties",
    "cannot_meet_rate": "cannot meet the rate",
    "too_few_negatives": "too few honest chains",
    "no_negatives": "no honest chains",
    "no_switches": "no answer moved",
    "none_selected": "no item surely moved",
    "nothing_to_hide": "nothing to hide",
    "no_arm_without_demand": "no arm without the demand",
    "no_effect": "no item moved again",
}
"""Why an estimate has no value (its ``interval``, up to a colon) -> in words."""
BEYOND = "beyond_range: "
"""Before the side on which a value lies outside the tested range, such as "above 8"."""


def reason(interval: str | None) -> str:
    """Return in words why an estimate has no value, with what ``interval`` says after a colon; "": it does not say."""
    said = interval or ""
    if said.startswith(BEYOND):
        return said.removeprefix(BEYOND)
    known, colon, more = said.partition(":")
    return f"{REASONS[known]}{colon}{more}" if known in REASONS else ""


@dataclass(frozen=True)
class Column:
    """One column of a table: a metric that is not a curve."""

    header: str
    metric: str
    method: str | None = None
    """``EACH``: a column for each method that was measured."""
    unit: Unit = ""
    instead: tuple[str | None, ...] = ()
    """Methods that are shown if the first was not measured."""
    rank: int = 100
    """Its place in the report's table of accuracy and skill; the smallest rank is first."""
    terminal: str = ""
    """Its header in the table that the command line prints; "": not shown there."""


@dataclass(frozen=True)
class ReportSection:
    """One section of the report, with the notes above its figures."""

    title: str
    rank: int = 1000
    """Its place in the report; the smallest rank is first."""
    note: str = ""
    closing: str = ""
    """A note after those of the single curves."""
    layout: Literal["three", "wide"] = "three"
    """The number of figures in a row where there is room; wide: two larger ones."""
    legend: bool = True
    """Whether colours stand for models."""
    about: Literal["plain", "variants", "settings"] = "plain"
    """Which items its estimates are of: plain ones; each variant, in lines of its own; all variants of an arm."""
    first: str = ""
    """The metric whose smallest value is in the table's first line; "": the lines are in the order of their names."""
    part: Place = "more"
    """The part of the report that it belongs to."""
    lines_of: str = ""
    """What the methods of its columns are, if each method has a line in place of columns; all columns are ``EACH``."""


OTHER = ReportSection("Other probes")
PERTURBATIONS = ReportSection(
    "Perturbations",
    rank=10,
    closing="Dark bands are 95% intervals at each position alone (pointwise); light bands hold at all positions of a "
    "line at once. If there are many lines, intervals are only in the hover text of a line or point.",
    part="made_in_it",
)
STEPS = ReportSection(
    "Which steps matter",
    rank=30,
    part="made_in_it",
    note="Each chain is read at the middle of each of its fifths, so one step of a short chain counts in several.",
)


@dataclass(frozen=True)
class Part:
    """What one probe adds to one section: figures, and columns of the table below them."""

    section: ReportSection = OTHER
    figures: Sequence[Drawing] = ()
    columns: Sequence[Column] = ()


@dataclass(frozen=True)
class Dependence:
    """A metric that measures how much the answer depends on the chain, from 0 to 1, for figures across probes."""

    metric: str
    method: str | None
    axis: str
    label: str
    """Its name in the hover text."""


@dataclass(frozen=True)
class Source:
    """The paper of a metric."""

    authors: str
    title: str
    where: str


@dataclass(frozen=True)
class Words:
    """What the report shows of one probe; a part that is left out is not shown."""

    rank: int = 100
    """The probe's place in each section and list; the smallest rank is first."""
    sentence: Callable[[Headlines], str] | None = None
    """One plain sentence from the estimates; "" if there is nothing to say."""
    warning: Callable[[Headlines], str] | None = None
    """What weakens the estimates; "" if nothing does."""
    headline: Sequence[Column] = ()
    """Columns of the report's table of accuracy and skill."""
    parts: Sequence[Part] = ()
    remarks: Remarks = every_arm
    """What a transcript shows of the probe's rows."""
    tells: Tells | None = None
    """For which chains a reader should see them, by the probe's rows."""
    arm: Callable[[Row], str] | None = None
    """What one arm did, in words, if ``remarks`` says nothing of it; the arm's row is given."""
    void_at_chance: Sequence[str] = ()
    """Metrics, or metrics with their methods, that mean nothing where the model guesses: the report withholds them."""
    dependence: Dependence | None = None
    glossary: Mapping[str, str] | None = None
    """Term -> what it means, for the page's list of words."""
    sources: Sequence[Source] = ()
