"""How often the two ways of reading a generated answer disagree. A warning about the answers, not about the model.

In: CHAINS and OBSERVATIONS rows. A generated answer is read strictly and loosely; where both find one and they differ,
whichever is taken may be wrong. Scored answers are not read. An answer that another model gave counts as that model's.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ITEM, effect, measured

METRIC = "answer_readings_differ"
_COLUMNS = ["answer_text", "answer_strict", "answer_loose"]


def reading_effects(chains: pl.DataFrame, observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the share of generated answers whose two readings differ; none where nothing was generated."""
    answerer = pl.coalesce("reader", "model").alias("model")
    rows = pl.concat([chains.select(*ITEM, *_COLUMNS), observations.with_columns(answerer).select(*ITEM, *_COLUMNS)])
    generated = rows.filter(pl.col("answer_text").is_not_null())
    differ = (pl.col("answer_strict") != pl.col("answer_loose")).fill_null(False)
    return [measured(effect(generated, None, METRIC, differ))]
