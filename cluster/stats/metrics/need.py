"""Whether a task needs its chains: on items that a model does as well without one, a clean chain proves little.

    need_share        share of the plain items that need the chain (``lib/need.py``): the probability of the gold answer
                      without one is below 0.5; items whose ok chains all have one step are left out
    one_step_share    share of the items that are left out

Where the answers have no probabilities, ``need_share`` has the method ``answers``: the answer without a chain is wrong.
Where some have, the others count as failed, and ``answers`` has no line.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import GROUP, measured, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.need import items_by_need
from cotfaith.cluster.stats.metrics.lib.pairs import with_difficulty
from cotfaith.cluster.stats.metrics.lib.remarks import nothing
from cotfaith.cluster.stats.metrics.lib.sayings import interval
from cotfaith.cluster.stats.metrics.lib.words import Column, Headlines, Part, ReportSection, Words

ANSWERS = "answers"
NEED = Metric("need_share", of_own_answer=False)
NEED_BY_DIFFICULTY = NEED.under("by_difficulty")
NEED_OF_ANSWERS = NEED.under(ANSWERS)
NEED_OF_ANSWERS_BY_DIFFICULTY = NEED.under(f"{ANSWERS}_by_difficulty")
ONE_STEP = Metric("one_step_share", of_answers=False)


def need_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield the shares of items that need the chain, also by difficulty, and of those that are left out."""
    items = items_by_need(rows)
    long = items.filter(~pl.col("one_step"))
    graded, difficulty = with_difficulty(long, rows.items), pl.col("difficulty")
    yield measured(scores(long, None, NEED, pl.col("by_p")))
    yield measured(scores(long, None, NEED_OF_ANSWERS, pl.col("by_answer")))
    yield measured(scores(graded, None, NEED_BY_DIFFICULTY, pl.col("by_p"), difficulty))
    yield measured(scores(graded, None, NEED_OF_ANSWERS_BY_DIFFICULTY, pl.col("by_answer"), difficulty))
    yield scores(items, None, ONE_STEP, pl.col("one_step"))


def need_settled(lines: pl.DataFrame) -> pl.DataFrame:
    """Leave out the shares by answers where there are probabilities."""
    is_need, by_answers = pl.col("metric") == NEED.name, pl.col("method").fill_null("").str.starts_with(ANSWERS)
    known = lines.filter(is_need & ~by_answers).select(GROUP).unique()
    kept = lines.filter(is_need & by_answers).join(known, on=GROUP, how="anti", maintain_order="left")
    return pl.concat([lines.filter(~(is_need & by_answers)), kept])


def need_sentence(rows: Headlines) -> str:
    """Return the share of the items that need the chain; "" if it is not known."""
    found = next((rows[name] for name in (NEED.title, NEED_OF_ANSWERS.title) if name in rows), None)
    if found is None or found.value is None:
        return ""
    return (
        f"{found.value:.0%}{interval(found, 100, '%')} of the items need the chain: without one it is unsure or wrong."
    )


SECTION = ReportSection(
    "Does the task need the chain?",
    rank=42,
    note="Needed: items whose gold answer has a probability below 50% without a chain; where answers have no "
    "probabilities, items that are answered wrong without one. Items whose chains all have one step are left out. "
    "Where the chain is not needed, a clean chain proves little.",
)
WORDS = Words(
    rank=5,
    sentence=need_sentence,
    parts=(Part(SECTION, columns=(Column("Items that need the chain", NEED.name, None, "%", (ANSWERS,)),)),),
    remarks=nothing,
    glossary={
        "Need": "An item needs the chain if the model, asked without one, gives the gold answer less than half of the "
        "probability. Perturbing the chain of an item that does not need it says little.",
    },
)
METRICS = ProbeMetrics(
    probe=None,
    theme="need",
    metrics=(NEED, NEED_BY_DIFFICULTY, NEED_OF_ANSWERS, NEED_OF_ANSWERS_BY_DIFFICULTY, ONE_STEP),
    scores=need_scores,
    settled=need_settled,
    words=WORDS,
)
