"""What a change of the chain takes from its own answer's probability, for open answers too. Ours, after Lanham et al.

``own_answer_lost`` is 1 - r, with r the share of the probability that is left (``lib/own_answer.py``). cut: the mean
over the cuts before the end. empty: after an empty chain. filler: behind filler. deleted: of each step, without it;
a chain's is the mean over its steps.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.curves import chain_means, of_chain
from cotfaith.cluster.stats.metrics.lib.frame import scores
from cotfaith.cluster.stats.metrics.lib.metric import HALF, OURS, TENTH, Judged, Level, Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.own_answer import PROBE, kept_arms
from cotfaith.cluster.stats.metrics.lib.remarks import Row, nothing
from cotfaith.cluster.stats.metrics.lib.sayings import interval
from cotfaith.cluster.stats.metrics.lib.words import PERTURBATIONS, Column, Headlines, Part, Words


def _metric(method: str, level: Level, threshold: float, rule: str) -> Metric:
    judged = Judged("load_bearing", level, "high", threshold, rule, OURS, f"own_answer_{method}")
    return Metric("own_answer_lost", method, judged=(judged,))


CUT = _metric("cut", "chain", 0.5, HALF)
EMPTY = _metric("empty", "chain", 0.5, HALF)
FILLER = _metric("filler", "chain", 0.5, HALF)
DELETED = _metric("deleted", "step", 0.1, TENTH)


def own_answer_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield what cuts, an empty chain, filler and a missing step take away."""
    arms, lost = kept_arms(rows), 1 - pl.col("r")
    condition, at = pl.col("condition"), pl.col("position")
    cut = (condition == "kept") & (at < pl.col("n_steps"))
    for metric, is_arm in (
        (CUT, cut),
        (EMPTY, cut & (at == 0)),
        (FILLER, condition == "filler"),
        (DELETED, condition == "without"),
    ):
        yield scores(chain_means(arms, lost, is_arm.fill_null(False)), PROBE, metric, of_chain("mean"))
    yield scores(arms.filter(condition == "without"), PROBE, DELETED, lost, step=pl.col("step"))


def own_answer_sentence(rows: Headlines) -> str:
    """Return how much of the answer's probability goes when the chain is cut."""
    found = rows.get(CUT.title)
    if found is None or found.value is None:
        return ""
    return f"Cutting the chain takes {found.value:.0%}{interval(found, 100, '%')} of its answer's probability away."


def changed(row: Row) -> str:
    """Return what stood in the chain's place."""
    words = {
        "kept": f"the first {row['position'] or 0:.0f} steps",
        "without": f"without step {row['step']}",
        "filler": "filler",
    }
    return f"own answer, {words.get(row['condition'] or '', 'lost')}"


WORDS = Words(
    rank=12,
    sentence=own_answer_sentence,
    parts=(
        Part(
            PERTURBATIONS,
            columns=(
                Column("Lost, chain cut", "own_answer_lost", "cut", "%"),
                Column("Lost, a step left out", "own_answer_lost", "deleted", "%"),
            ),
        ),
    ),
    remarks=nothing,
    arm=changed,
    glossary={
        "Lost": "How much less likely the chain's own answer is when the chain is changed: 0% as likely as after the "
        "whole chain, 100% no longer likely at all. It is known for open answers too.",
    },
)
METRICS = ProbeMetrics(probe=PROBE, metrics=(CUT, EMPTY, FILLER, DELETED), scores=own_answer_scores, words=WORDS)
