"""The report's sections of figures and tables, as the probes' words declare them.

In: estimates, chains and the words. Out: ``Block`` objects, one for each section with something to show. The words name
figures, columns and the texts about them; the files that the imports name draw the figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from cotfaith.cluster.report.columns import Line, each, method_rows, table_rows
from cotfaith.cluster.report.comparisons import difference_figures, matrix_figure
from cotfaith.cluster.report.curves import curve_figure
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.figures import Figure
from cotfaith.cluster.report.frontier import frontier_figure
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.report.lengths import length_figures
from cotfaith.cluster.report.paired import paired_figures
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.drawings import Curve, Differences, Drawing, Frontier, Lengths, Matrix, Paired
from cotfaith.cluster.stats.metrics.lib.words import Part, ReportSection, Words

Groups = list[tuple[str, list[Figure]]]


@dataclass(frozen=True)
class Block:
    """One section of the page, ready to be printed."""

    section: ReportSection
    notes: Sequence[str]
    groups: Groups
    """(heading, figures side by side)."""
    columns: Sequence[str]
    table: Sequence[Line]


@dataclass(frozen=True)
class Measured:
    """The data from which figures are drawn."""

    rows: list[Estimate]
    chains: pl.DataFrame
    """CHAINS rows, with the series in place of ``model``."""
    looks: dict[str, Look]
    """Series -> how it is drawn."""
    chance: dict[str, float]
    """Task -> chance accuracy."""
    others: Mapping[str, list[Estimate]] = field(default_factory=dict)
    """What the sections about other items than plain ones show, by ``ReportSection.about``."""

    @cached_property
    def known(self) -> Known:
        """The estimates, found by name."""
        return Known(self.rows)

    @cached_property
    def tasks(self) -> list[str]:
        """Return the tasks by name."""
        return sorted({row.task for row in self.rows})


def make_sections(measured: Measured, words: Sequence[Words]) -> list[Block]:
    """Return every section with something to show."""
    parts: dict[str, list[Part]] = {}
    for part in (part for one in words for part in one.parts):
        parts.setdefault(part.section.title, []).append(part)
    ordered = sorted(parts.values(), key=lambda found: found[0].section.rank)
    blocks = [_block(found[0].section, found, measured, words) for found in ordered]
    return [block for block in blocks if block.table or any(figures for _, figures in block.groups)]


def _block(section: ReportSection, parts: Sequence[Part], whole: Measured, words: Sequence[Words]) -> Block:
    measured = whole if section.about == "plain" else replace(whole, rows=whole.others.get(section.about, []))
    asked = [figure for part in parts for figure in part.figures]
    curves = [figure for figure in asked if isinstance(figure, Curve)]
    panels, shown = _panels(measured, [curve for curve in curves if curve.title])
    untitled = [curve for curve in curves if not curve.title]
    others = [figure for task in measured.tasks for figure in _drawn(measured, task, untitled).values()]
    others += [figure for one in asked for figure in _figures(one, measured, words)]
    notes = [section.note, *shown, section.closing]
    declared = [column for part in parts for column in part.columns]
    columns = declared if section.lines_of else each(declared, measured.rows)
    made = method_rows if section.lines_of else table_rows
    return Block(
        section,
        [note for note in notes if note],
        [*panels, *([("", others)] if others else [])],
        [column.header for column in columns],
        made(measured.rows, columns, section.first) if columns else [],
    )


def _panels(measured: Measured, curves: Sequence[Curve]) -> tuple[Groups, list[str]]:
    """Return the figures of the titled curves by task, and the notes of the curves that are drawn."""
    groups = [(task, _drawn(measured, task, curves)) for task in measured.tasks]
    titles = {title for _, drawn in groups for title in drawn}
    notes = dict.fromkeys(curve.note for curve in curves if curve.title in titles)
    return [(task, list(drawn.values())) for task, drawn in groups if drawn], list(notes)


def _drawn(measured: Measured, task: str, curves: Sequence[Curve]) -> dict[str, Figure]:
    """Return one task's figures by title; of two curves with the same title, the first that was measured."""
    made: dict[str, Figure] = {}
    for curve in curves:
        title = curve.title or task
        if title not in made and (figure := curve_figure(measured.known, measured.looks, task, curve, title)):
            made[title] = figure
    return made


def _figures(asked: Drawing, measured: Measured, words: Sequence[Words]) -> Iterator[Figure]:
    """Yield the figures of one drawing that is not a titled curve."""
    known, looks = measured.known, measured.looks
    found: list[Figure | None] = []
    match asked:
        case Paired():
            found = [*paired_figures(known, looks, measured.chance, asked)]
        case Differences():
            found = [*difference_figures(known, looks, asked)]
        case Matrix():
            found = [matrix_figure(known, task, asked) for task in measured.tasks]
        case Frontier():
            asking = [one.dependence for one in words if one.dependence]
            found = [frontier_figure(known, looks, measured.chance, task, asked, asking) for task in measured.tasks]
        case Lengths():
            found = [*length_figures(measured.chains, looks)]
    yield from (figure for figure in found if figure is not None)
