"""How often the two ways of reading a generated answer disagree. A warning about the answers, not about the model.

A generated answer is read strictly and loosely. If both readings find an answer and these differ, either may be wrong.
Scored answers are not read. An answer from another model counts for that model.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ITEM, measured, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric, Rows

DIFFER = Metric("answer_readings_differ", of_own_answer=False)
_COLUMNS = ["answer_text", "answer_strict", "answer_loose"]


def reading_scores(rows: Rows) -> list[pl.DataFrame]:
    """Return whether a generated answer's two readings differ; empty if nothing was generated."""
    answerer = pl.coalesce("reader", "model").alias("model")
    observed = rows.observations.with_columns(answerer).select(*ITEM, *_COLUMNS)
    answers = pl.concat([rows.chains.select(*ITEM, *_COLUMNS), observed])
    generated = answers.filter(pl.col("answer_text").is_not_null())
    differ = (pl.col("answer_strict") != pl.col("answer_loose")).fill_null(False)
    return [measured(scores(generated, None, DIFFER, differ))]
