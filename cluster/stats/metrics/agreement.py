"""How far readers of the same chains agree: rules, model judges and people, two at a time, question by question.

    agreement_raw       po: of the chains that both read, the share on which they say the same
    agreement_kappa     Cohen's kappa, (po - pe) / (1 - pe), pe = a b + (1 - a)(1 - b); a, b: the shares of yes of each
    agreement_ac1       Gwet's AC1, (po - pe) / (1 - pe), pe = 2 pi (1 - pi), pi = (a + b) / 2 (Gwet 2008); with two
                        categories Gwet's AC2 is the same
    agreement_left_out  of the chains that both were asked about, the share that is left out for the reason that the
                        method ends in: the status of the reading that failed, the first reader's if both did

A failed reading, or a person who cannot tell, is never "no". The method names both readers in the order of their names,
and the question: "judge and rules.present"; then the hint, if it is not the variant's own. With ``SATURATED`` or more
of all answers alike, kappa rests on a handful of chains: it has no value, and ``interval`` says "one_class_over_95".

An interval is of the items' sums (``stats/smooth.py``), with one pseudo-item of chains on which the readers agree, as
often yes as they say it, and one on which they differ, one each way. ``benchmarks/agreement.py`` prints how often each
covers.
"""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import SHARE, Bounds
from cotfaith.cluster.stats.metrics.lib.frame import scores
from cotfaith.cluster.stats.metrics.lib.function import Floats, Function, at, ratio, typical_size
from cotfaith.cluster.stats.metrics.lib.judgements import ASKED, UNSURE, judged_by, labelled_by, n_judges
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.statuses import with_all_items
from cotfaith.cluster.stats.metrics.lib.vectors import vectors
from cotfaith.cluster.stats.metrics.lib.words import EACH, Column, Part, ReportSection, Source, Words
from cotfaith.schemas.status import Status

SUMS = ("read", "both", "one", "other")
"""Of an item: chains that both read, those with two yes, and those with a yes of the first and of the second reader."""
SATURATED = 0.95
OVER = "one_class_over_95"
_BOUNDS: Bounds = (-1.0, 1.0)


def raw(sums: Floats) -> Floats:
    """Return the share on which both say the same."""
    of = at(sums, SUMS)
    return 1 - ratio(of["one"] + of["other"] - 2 * of["both"], of["read"])


def kappa(sums: Floats) -> Floats:
    """Return Cohen's kappa; nan if chance alone makes both say the same."""
    a, b = (ratio(at(sums, SUMS)[name], at(sums, SUMS)["read"]) for name in ("one", "other"))
    return _beyond(raw(sums), a * b + (1 - a) * (1 - b))


def ac1(sums: Floats) -> Floats:
    """Return Gwet's AC1."""
    pi = _yes(sums)
    return _beyond(raw(sums), 2 * pi * (1 - pi))


def _beyond(po: Floats, pe: Floats) -> Floats:
    return np.where(pe < 1, 1 - ratio(1 - po, 1 - pe), np.nan)


def _yes(sums: Floats) -> Floats:
    """Return the share of yes among the answers of both."""
    of = at(sums, SUMS)
    return ratio(of["one"] + of["other"], 2 * of["read"])


def _read(sums: Floats) -> Floats:
    return at(sums, SUMS)["read"]


def _pseudo(vectors_VK: Floats, counts_V: Floats) -> Floats:
    """Return two pseudo-items (2, K): the readers agree, as often on yes as they say it; they differ, each way."""
    size, yes = typical_size(vectors_VK[:, 0], counts_V), float(_yes(counts_V @ vectors_VK))
    made = np.zeros((2, vectors_VK.shape[1]))
    made[:, :4] = (1, yes, yes, yes), (1, 0, 0.5, 0.5)
    return size * made


def _saturated(sums: Floats) -> str | None:
    """Return why kappa says nothing: almost all answers are alike."""
    yes = float(_yes(sums))
    return OVER if yes > SATURATED or yes < 1 - SATURATED else None


def _function(
    value: Callable[[Floats], Floats], bounds: Bounds, lacking: Callable[[Floats], str | None] | None = None
) -> Function:
    return Function(value, lambda _: "no_readings", (_read,), _pseudo, bounds, lacking=lacking)


RAW = Metric("agreement_raw", ANY, of_own_answer=False, function=_function(raw, SHARE))
COHEN = Metric(
    "agreement_kappa", ANY, _BOUNDS, "ratio", of_own_answer=False, function=_function(kappa, _BOUNDS, _saturated)
)
GWET = Metric("agreement_ac1", ANY, bounds=_BOUNDS, unit="ratio", of_own_answer=False, function=_function(ac1, _BOUNDS))
_FAILURES = {str(status) for status in Status} - {str(Status.OK)}
LEFT_OUT = Metric("agreement_left_out", ANY, of_answers=False, of_own_answer=False)


def agreement_vectors(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the sums behind each pair's agreement, by question."""
    for method, pairs in by_method(rows):
        both = pl.col("label").is_not_null() & pl.col("label_other").is_not_null()
        yes, other = pl.col("label").cast(pl.Float64), pl.col("label_other").cast(pl.Float64)
        summed = pairs.with_columns(
            pl.lit(1.0).alias("read"), (yes * other).alias("both"), yes.alias("one"), other.alias("other")
        )
        for metric in (RAW, COHEN, GWET):
            yield vectors(summed, None, metric.under(method), SUMS, both)


def left_out_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield, for each reason that occurs in the rows, whether a chain is left out for it."""
    for method, pairs in by_method(rows):
        failed = pl.when(pl.col("status") != Status.OK).then("status").otherwise("status_other")
        for reason in [*sorted(set(pairs.select(failed.alias("failed"))["failed"]) & _FAILURES), UNSURE]:
            yield scores(pairs, None, LEFT_OUT.under(f"{method}.{reason}"), failed == reason)


def occurring_reasons(lines: pl.DataFrame) -> pl.DataFrame:
    """Leave out the reasons for which no chain of a group is left out; others count in all items."""
    found = with_all_items(lines, LEFT_OUT.name, UNSURE)
    return found.filter((pl.col("metric") != LEFT_OUT.name) | (pl.col("num") > 0))


def by_method(rows: Rows) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the chains that two readers were asked the same about, by pair, question and hint."""
    if rows.labels is None and n_judges(rows) < 2:
        return
    read = judged_by(rows)
    labelled = labelled_by(read, rows.labels) if rows.labels is not None else read.clear()
    every = pl.concat([read, labelled])
    for one, other in combinations(every["reader"].unique().sort().to_list(), 2):
        pairs = paired(every, one, other)
        for (question, asked), own in pairs.group_by("question", "asked", maintain_order=True):
            yield f"{one} and {other}.{question}" + (f".{asked}" if asked else ""), own


def paired(judgements: pl.DataFrame, one: str, other: str) -> pl.DataFrame:
    """Return the judgements of one reader beside those of another, whose columns end in ``_other``."""
    own, theirs = (judgements.filter(pl.col("reader") == name) for name in (one, other))
    return own.join(theirs, on=ASKED, how="inner", suffix="_other", maintain_order="left")


SECTION = ReportSection(
    "Readers: how far they agree",
    rank=9,
    part="says",
    note="Two readers (rules, models, people) of the same chains. Agreement: the share of chains on which they say the "
    "same. Kappa and AC1: what is left of it beyond chance, by Cohen's and by Gwet's idea of chance. Kappa has no "
    "value where more than 95% of all answers are alike. Readings that failed are left out, and never count as no.",
    about="variants",
    lines_of="Readers",
)
WORDS = Words(
    rank=93,
    remarks=nothing,
    parts=(
        Part(
            SECTION,
            columns=(
                Column("Agreement", RAW.name, EACH, "%"),
                Column("Kappa", COHEN.name, EACH),
                Column("AC1", GWET.name, EACH),
            ),
        ),
    ),
    sources=(
        Source("Cohen 1960", "A coefficient of agreement for nominal scales", "Educ. Psychol. Meas. 20"),
        Source(
            "Gwet 2008", "Computing inter-rater reliability in the presence of high agreement", "Br. J. Math. Stat. 61"
        ),
    ),
)
METRICS = ProbeMetrics(
    probe=None,
    theme="agreement",
    metrics=(RAW, COHEN, GWET, LEFT_OUT),
    scores=left_out_scores,
    settled=occurring_reasons,
    vectors=agreement_vectors,
    words=WORDS,
)
