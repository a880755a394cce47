"""The report's sections of figures and tables: which there are, in which order, and what stands above each.

In: estimates rows (dicts; ``model`` names the series) and chains. Out: ``Section`` objects; one without anything to
show is left out. Words and choice are here; how a figure looks is in ``figures.py`` and ``comparisons.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cotfaith.cluster.report.columns import Column, Unit, table_rows
from cotfaith.cluster.report.comparisons import drop_figure, frontier_figure, transfer_figure
from cotfaith.cluster.report.figures import Curve, Figure, accuracy_figure, curve_figure, curve_figures, length_figures

Row = dict[str, Any]
BY_PLACE = ("by_position",)
KEPT, STOOD = "share of the chain kept", "where the step stood"
PAPER = (
    Curve("Early answering", "early_answering_same_answer", ("linear",), KEPT, "same answer"),
    Curve("Adding mistakes", "mistakes_same_answer", ("linear",), "share before the mistake", "same answer"),
    Curve("Paraphrasing", "paraphrase_accuracy", ("paraphrased", "resampled"), "share reworded", "accuracy"),
    Curve(
        "Filler tokens",
        "filler_accuracy",
        ("paired",),
        "repeats of “...”",
        "accuracy",
        "filler_accuracy",
        baseline_method="no_cot",
    ),
    Curve("Filler tokens", "filler_accuracy", ("by_repeats",), "repeats of “...”", "accuracy"),
)
"""The figures of Lanham et al. 2023, in its order. Of two with one title the first that was measured is drawn."""
PLACES = (
    Curve("A step left out", "deletion_same_answer", BY_PLACE, STOOD, "same answer"),
    Curve("Importance: accuracy", "resampling_importance_accuracy", BY_PLACE, STOOD, "accuracy lost", share=False),
    Curve("Importance: answers", "resampling_importance_kl", BY_PLACE, STOOD, "divergence, nats", share=False),
)
DIFFICULTY = (
    Curve(
        "",
        "accuracy_cot",
        ("paired_by_difficulty",),
        "difficulty",
        "accuracy",
        "accuracy_no_cot",
        baseline_method="paired_by_difficulty",
    ),
    Curve("", "accuracy_cot", ("by_difficulty",), "difficulty", "accuracy"),
)
"""The first that was measured is drawn."""
PERTURBATION_COLUMNS = (
    Column("AOC, mistakes (trapezoid)", "mistakes_aoc", "trapezoid", ""),
    Column("AOC, mistakes (1 − mean)", "mistakes_aoc", "mean", ""),
    Column("Accuracy after a mistake", "mistakes_accuracy", None, "%"),
    Column("Lost against plain resampling", "mistakes_drop", "accuracy", "points"),
    Column("Steps made wrong", "mistakes_changed", None, "%"),
    Column("Mistakes plausible", "mistakes_plausible", None, "%"),
    Column("Beginnings reworded", "paraphrase_changed", None, "%"),
)
STEP_COLUMNS = (
    Column("Same answer, a step left out", "deletion_same_answer", "mean", "%"),
    Column("Accuracy, a step left out", "deletion_accuracy", None, "%"),
    Column("Importance: accuracy", "resampling_importance_accuracy", "mean", "points"),
    Column("Importance: nats", "resampling_importance_kl", "mean", ""),
    Column("Rollouts that changed the step", "resampling_changed", None, "%"),
)
LAMBDAS: tuple[tuple[str, str, Unit], ...] = (
    ("order_same_answer", "Same answer", "%"),
    ("order_normalised", "Same answer / N", ""),
)
ORDER_COLUMNS = (
    Column("Same letter, choices shuffled (N)", "order_same_letter", None, "%"),
    *(
        Column(f"{name}, {words}", metric, method, unit)
        for metric, name, unit in LAMBDAS
        for method, words in (("none", "as they are"), ("once", "one shuffled order"), ("twice", "two shuffled orders"))
    ),
)


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    title: str
    notes: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Figure]]] = ()
    """(heading, figures side by side)."""
    wide: bool = False
    """Each figure takes the page's width."""
    small: bool = False
    """Four figures in a row rather than three."""
    legend: bool = True
    """Whether colours stand for models."""
    columns: Sequence[str] = ()
    table: Sequence[Row] = field(default_factory=list)

    def figures(self) -> list[tuple[str, list[tuple[str, Figure]]]]:
        """Return the groups, each figure with an id of its own on the page."""
        slug = self.title.lower().replace(" ", "-")
        return [
            (heading, [(f"{slug}-{g}-{i}", figure) for i, figure in enumerate(figures)])
            for g, (heading, figures) in enumerate(self.groups)
        ]


def make_sections(
    rows: list[Row], chains: pl.DataFrame, colours: dict[str, str], chance: dict[str, float]
) -> list[Section]:
    """Return every section that has something to show."""
    tasks = sorted({row["task"] for row in rows})
    accuracy = accuracy_figure(rows, colours, chance)
    found = [
        _with_table(_perturbations(rows, colours, tasks), rows, PERTURBATION_COLUMNS),
        _encoded(rows, colours),
        _with_table(_places(rows, colours, tasks), rows, STEP_COLUMNS),
        Section(
            "Accuracy with and without a chain",
            [
                "Open circle: without a chain. Filled: with one, on the same chains: those that are ok, of items that "
                "were answered without one. Bars are 95% intervals; the dotted tick is guessing."
            ],
            [("", [accuracy] if accuracy else [])],
            wide=True,
        ),
        _frontier(rows, colours, tasks),
        _transfer(rows, tasks),
        _with_table(_order(), rows, ORDER_COLUMNS),
        Section(
            "Accuracy by difficulty",
            ["With a chain, where the task states how hard its items are. Dotted: the same items without a chain."],
            [("", curve_figures(rows, colours, DIFFICULTY[0]) or curve_figures(rows, colours, DIFFICULTY[1]))],
        ),
        Section(
            "Length of the chains",
            ["Steps per chain, failed chains included."],
            [("", length_figures(chains, colours))],
        ),
    ]
    return [section for section in found if section.table or any(figures for _, figures in section.groups)]


def _perturbations(rows: list[Row], colours: dict[str, str], tasks: list[str]) -> Section:
    panels, shown = _panels(rows, colours, tasks, PAPER)
    words = {
        "Early answering": "Early answering: the chain is cut. High from the start: it is hardly used.",
        "Adding mistakes": "Adding mistakes: a step is made wrong, and the model writes the rest anew. High: the "
        "mistake is not followed, or not used. The curve ends at 1 by definition.",
        "Paraphrasing": "Paraphrasing: the beginning in other words (full line), against the same beginning as it was "
        "(dotted), each with a rest written anew.",
        "Filler tokens": "Filler tokens: repeated dots in the chain's place; dotted: no chain, on the same items. "
        "Items with short chains have no long filler, so items differ between points. Points with less than a fifth of "
        "the items of the largest are not drawn.",
    }
    bands = "95% intervals: the bands, or where lines are many the text under the pointer."
    return Section("Perturbations", [*(words[name] for name in shown), bands], panels, small=True)


def _places(rows: list[Row], colours: dict[str, str], tasks: list[str]) -> Section:
    panels, shown = _panels(rows, colours, tasks, PLACES)
    notes = ["Each chain is read in the middle of each fifth of it, so a step of a short chain counts in several."]
    if "Importance: accuracy" in shown:
        notes.append(
            "Importance: what is lost where resampling put a step of another meaning in its place, against rollouts "
            "that kept it. Steps that no rollout changed are not measured. A divergence is above 0 by chance alone."
        )
    return Section("Which steps matter", notes, panels)


def _panels(
    rows: list[Row], colours: dict[str, str], tasks: list[str], curves: Sequence[Curve]
) -> tuple[list[tuple[str, list[Figure]]], list[str]]:
    """Return the figures by task, and the titles of those that some task has."""
    groups = [(task, _drawn(rows, colours, task, curves)) for task in tasks]
    titles = {figure.title for _, figures in groups for figure in figures}
    order = dict.fromkeys(curve.title for curve in curves)
    return [group for group in groups if group[1]], [title for title in order if title in titles]


def _drawn(rows: list[Row], colours: dict[str, str], task: str, curves: Sequence[Curve]) -> list[Figure]:
    """Return one task's figures, one for each title."""
    made: dict[str, Figure] = {}
    for curve in curves:
        if curve.title not in made and (figure := curve_figure(rows, colours, task, curve, curve.title)):
            made[curve.title] = figure
    return list(made.values())


def _encoded(rows: list[Row], colours: dict[str, str]) -> Section:
    drop = drop_figure(rows, colours)
    note = (
        "What other words cost: resampled minus paraphrased, paired, in accuracy (filled) and in same answers (open). "
        "Above 0: the answer needs something that the meaning of the words does not carry."
    )
    return Section("Encoded reasoning", [note], [("", [drop] if drop else [])], wide=True)


def _frontier(rows: list[Row], colours: dict[str, str], tasks: list[str]) -> Section:
    figures = [figure for task in tasks if (figure := frontier_figure(rows, colours, task))]
    note = (
        "A point for each model and strategy, with 95% intervals both ways. Circle: plain chain; square: decomposition "
        "in one context; diamond: factored. A better model changes its answer less often whatever its chain: points at "
        "different accuracies do not compare."
    )
    return Section("Dependence against accuracy", [note], [("", figures)])


def _transfer(rows: list[Row], tasks: list[str]) -> Section:
    figures = [figure for task in tasks if (figure := transfer_figure(rows, task))]
    note = (
        "Accuracy of each reader with each author's chains, on those after which all of them answered. A reader far "
        "below the author cannot use what is written; one that is right may have known the answer: the gain over no "
        "chain is in the text under the pointer."
    )
    return Section("Transfer to other models", [note], [("", figures)], legend=False)


def _order() -> Section:
    note = (
        "A model that likes a letter gives the same answer with and without a chain, whatever it thinks. N: how often "
        "the letter stays when the choices are shuffled. Same answer / N corrects for it, and can exceed 1."
    )
    return Section("Shuffled choices", [note])


def _with_table(section: Section, rows: list[Row], columns: Sequence[Column]) -> Section:
    """Add a table of those columns that were measured."""
    shown = [column for column in columns if any(column.names(row) for row in rows)]
    table = table_rows(rows, shown) if shown else []
    return replace(section, columns=[c.header for c in shown], table=table)
