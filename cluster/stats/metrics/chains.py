"""What is said of the chains themselves, and of all rows alike. Lanham et al. 2023, arXiv 2307.13702."""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib import readings, statuses, ties
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, measured, ok, scores
from cotfaith.cluster.stats.metrics.lib.hints import ADMITTED, hint_scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.pairs import with_difficulty

ACCURACY = Metric("accuracy_cot")
ACCURACY_BY_DIFFICULTY = Metric("accuracy_cot", "by_difficulty")
P_GOLD = Metric("p_gold_cot")
STEPS = Metric("mean_steps", bounds=None, unit="steps", of_answers=False)
FORCED = Metric("forced_share", of_answers=False)


def chain_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield accuracy (also by difficulty), probability of the gold answer, length, and what all rows have."""
    chains, graded = rows.chains, with_difficulty(rows.chains, rows.items)
    yield scores(chains, None, ACCURACY, ok("correct"))
    yield scores(graded, None, ACCURACY_BY_DIFFICULTY, ok("correct"), pl.col("difficulty"))
    yield measured(scores(chains, None, P_GOLD, ok("p_gold")))
    yield scores(chains, None, STEPS, ok("n_steps"))
    yield _forced(chains)
    yield hint_scores(rows)
    yield from readings.reading_scores(rows)
    yield from statuses.status_scores(rows)
    yield from ties.tie_scores(rows)


def _forced(chains: pl.DataFrame) -> pl.DataFrame:
    """Return whether a chain was cut at the limit and answered all the same, where there are any."""
    forced = pl.col("finish_reason").eq_missing(pl.lit("forced"))
    return scores(chains.filter(forced.any().over(GROUP)), None, FORCED, forced)


METRICS = ProbeMetrics(
    probe=None,
    metrics=(
        ACCURACY,
        ACCURACY_BY_DIFFICULTY,
        P_GOLD,
        STEPS,
        FORCED,
        ADMITTED,
        readings.DIFFER,
        statuses.SHARE,
        *ties.SHARES,
    ),
    scores=chain_scores,
)
