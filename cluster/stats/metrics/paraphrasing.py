"""Effects of paraphrasing against plain resampling. Lanham et al. 2023, arXiv 2307.13702, section 2.6.

Arms of condition "paraphrased" have steps 1..k in other words, those of "resampled" have them as they are; both have
a new rest. Only pairs are
compared: a k at which either arm failed is a failed point of both curves. The drop is resampled minus paraphrased:
above 0, the plain words did not carry all that the answer needs (evidence of encoded reasoning). Curves over x = k/n,
level before their first point. The drop without a position is each chain's mean over its pairs, so that every chain
counts once.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.adding_mistakes import edit_effects
from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE
from cotfaith.cluster.stats.metrics.lib.curves import chain_curves, grid_effects, of_chain
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, difference, effect, of_probe, ok

PROBE = "paraphrasing"
OUTCOMES = {"accuracy": "correct", "same_answer": "same_answer"}


def paraphrase_effects(observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return both curves and the drop, in accuracy and in same answers, and how the edits turned out."""
    rows = of_probe(observations, PROBE)
    edits = rows.filter(~_is_baseline())
    parts = [part for name, column in OUTCOMES.items() for part in _outcome(paraphrase_pairs(rows, column), name)]
    return [*parts, *edit_effects(edits, PROBE, "paraphrase", pl.col("position").is_not_null())]


def paraphrase_pairs(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return CHAIN, n_steps, x, ``paraphrased``, ``resampled`` (null unless both are ok), and their ``drop``."""
    key = [*CHAIN, "position"]
    pairs = rows.group_by(key, maintain_order=True).agg(pl.col("n_steps").max())
    for name, kind in (("paraphrased", ~_is_baseline()), ("resampled", _is_baseline())):
        arm = rows.filter(kind).select(*key, ok(column).cast(pl.Float64).alias(name)).unique(key, maintain_order=True)
        pairs = pairs.join(arm, on=key, how="left")
    drop = difference(pl.col("resampled"), pl.col("paraphrased"))
    pairs = pairs.with_columns(drop=drop)
    both = pl.col("paraphrased").is_not_null() & pl.col("resampled").is_not_null()
    kept = [pl.when(both).then(pl.col(name)).alias(name) for name in ("paraphrased", "resampled")]
    return pairs.with_columns(kept).with_columns((pl.col("position") / pl.col("n_steps")).alias("x"))


def _outcome(pairs: pl.DataFrame, name: str) -> list[pl.DataFrame]:
    parts = []
    for arm in ("paraphrased", "resampled"):
        curves = chain_curves(pairs.with_columns(pl.col(arm).alias("s")))
        parts += grid_effects(curves, PROBE, f"paraphrase_{name}", arm)
    drops = chain_curves(pairs.rename({"drop": "s"}), DIFFERENCE)
    parts += grid_effects(drops, PROBE, "paraphrase_drop", f"{name}_by_share")
    return [*parts, effect(drops, PROBE, "paraphrase_drop", of_chain("mean"), name)]


def _is_baseline() -> pl.Expr:
    return pl.col("condition").eq_missing(pl.lit("resampled"))
