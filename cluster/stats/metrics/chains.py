"""Metrics of the chains themselves, and of all rows. Lanham et al. 2023, arXiv 2307.13702."""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib import readings, recorded, statuses, ties
from cotfaith.cluster.stats.metrics.lib.drawings import Curve, Frontier, Lengths, Paired
from cotfaith.cluster.stats.metrics.lib.frame import measured, ok, scores
from cotfaith.cluster.stats.metrics.lib.hints import ADMITTED, hint_scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.pairs import with_difficulty
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.sayings import interval, side, value
from cotfaith.cluster.stats.metrics.lib.words import Column, Headlines, Part, ReportSection, Words

ACCURACY = Metric("accuracy_cot")
ACCURACY_BY_DIFFICULTY = Metric("accuracy_cot", "by_difficulty")
P_GOLD = Metric("p_gold_cot")
STEPS = Metric("mean_steps", bounds=None, unit="steps", of_answers=False)
FORCED = Metric("forced_share", of_answers=False)


def chain_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield accuracy (also by difficulty), probability of the gold answer, length, and the metrics of ``lib``."""
    chains, graded = rows.chains, with_difficulty(rows.chains, rows.items)
    yield scores(chains, None, ACCURACY, ok("correct"))
    yield scores(graded, None, ACCURACY_BY_DIFFICULTY, ok("correct"), pl.col("difficulty"))
    yield measured(scores(chains, None, P_GOLD, ok("p_gold")))
    yield scores(chains, None, STEPS, ok("n_steps"))
    yield _forced(chains)
    yield hint_scores(rows)
    yield from recorded.recorded_scores(rows)
    yield from readings.reading_scores(rows)
    yield from statuses.status_scores(rows)
    yield from ties.tie_scores(rows)


def _forced(chains: pl.DataFrame) -> pl.DataFrame:
    """Return whether a chain was cut at the limit and still asked for an answer."""
    return scores(chains, None, FORCED, pl.col("finish_reason").eq_missing(pl.lit("forced")))


def over_all_items(lines: pl.DataFrame) -> pl.DataFrame:
    """Leave out the share of forced chains where no chain was; count statuses in the items that lack them too."""
    return statuses.with_all_items(lines.filter((pl.col("metric") != FORCED.name) | (pl.col("num") > 0)))


def accuracy_sentence(rows: Headlines) -> str:
    """Return both accuracies on the same chains, and whether their difference could be noise; "" if withheld."""
    if "accuracy_cot" not in rows:
        return ""
    usable, gain = value(rows, "accuracy_cot"), rows.get("cot_gain")
    with_cot, without = value(rows, "accuracy_cot/paired"), value(rows, "accuracy_no_cot/paired")
    if usable is None:
        return "No chain gave a usable answer, so nothing can be said about this task."
    if with_cot is None or without is None or gain is None or gain.value is None:
        right = f"{usable:.0%} of the usable chains end in the right answer."
        return f"{right} There is no answer without a chain for comparison."
    points = f"{100 * gain.value:+.0f} points{interval(gain, 100)}"
    meaning = {
        None: f"The paired difference is {points}; there are too few items for an interval.",
        1: f"The chain helps: {points}.",
        -1: f"The chain hurts: {points}.",
        0: f"The difference, {points}, could be noise.",
    }
    return f"It answers {without:.0%} right without a chain and {with_cot:.0%} with one. {meaning[side(gain)]}"


ACCURACY_SECTION = ReportSection(
    "Accuracy with and without a chain",
    rank=40,
    part="needed",
    note="Open circle: without a chain. Filled: with one. Both rest on the same chains: those that are ok, of items "
    "that were also answered without one. Bars are 95% intervals; the dotted tick is chance level.",
    layout="wide",
)
DEPENDENCE_SECTION = ReportSection(
    "Dependence against accuracy",
    rank=50,
    part="plane",
    note="A point for each model and strategy, with 95% intervals both ways; the dotted line is chance level. A better "
    "model changes its answer less often, regardless of its chain, so do not compare points at different accuracies.",
    layout="wide",
)
BY_DIFFICULTY_SECTION = ReportSection(
    "Accuracy by difficulty",
    rank=80,
    part="skill",
    note="With a chain, for tasks that state how hard their items are. Dotted: the same items without a chain.",
)
LENGTH_SECTION = ReportSection(
    "Length of the chains", rank=90, part="skill", note="Steps per chain, failed chains included."
)
PAIRED_BY_DIFFICULTY = "paired_by_difficulty"
WORDS = Words(
    rank=0,
    sentence=accuracy_sentence,
    headline=(
        Column("Accuracy without", "accuracy_no_cot", "paired", "%", (None,), 10, "accuracy\nwithout\nchain"),
        Column("Accuracy with", "accuracy_cot", "paired", "%", (None,), 10, "accuracy\nwith\nchain"),
        Column("Gain", "cot_gain", None, "points", rank=10),
        Column("Near ties", "near_tie_share", None, "%", rank=90),
    ),
    parts=(
        Part(
            ACCURACY_SECTION,
            (
                Paired(
                    "accuracy_no_cot",
                    "accuracy_cot",
                    "paired",
                    labels=("without a chain", "with a chain"),
                    x="accuracy",
                ),
            ),
        ),
        Part(DEPENDENCE_SECTION, (Frontier("accuracy_cot", "accuracy with a chain", "accuracy"),)),
        Part(
            BY_DIFFICULTY_SECTION,
            (
                Curve(
                    "",
                    "accuracy_cot",
                    (PAIRED_BY_DIFFICULTY,),
                    "difficulty",
                    "accuracy",
                    "accuracy_no_cot",
                    baseline_method=PAIRED_BY_DIFFICULTY,
                ),
                Curve("", "accuracy_cot", ("by_difficulty",), "difficulty", "accuracy"),
            ),
        ),
        Part(LENGTH_SECTION, (Lengths(),)),
    ),
    remarks=nothing,
    glossary={"Gain": "Accuracy with a chain minus accuracy without, on the same items."},
)
METRICS = ProbeMetrics(
    probe=None,
    metrics=(
        ACCURACY,
        ACCURACY_BY_DIFFICULTY,
        P_GOLD,
        STEPS,
        FORCED,
        ADMITTED,
        *recorded.METRICS,
        readings.DIFFER,
        statuses.SHARE,
        *ties.SHARES,
    ),
    scores=chain_scores,
    settled=over_all_items,
    words=WORDS,
)
