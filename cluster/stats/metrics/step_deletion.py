"""Effects of leaving out one step: how often the answer stays the chain's own.

Step i of n stands at x = (i-0.5)/n. ``mean`` and the accuracy: each chain's mean over its steps, so that every chain
counts once. ``by_position``: at the middle of each fifth of the chain, the step that stands there; one that failed is
read off the chain's curve.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.curves import by_place, chain_means, filled, of_chain, reading
from cotfaith.cluster.stats.metrics.lib.frame import effect, of_probe, ok

PROBE = "step_deletion"


def deletion_effects(observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the share of answers that stay, the same by where the step stood, and accuracy."""
    rows, metric = of_probe(observations, PROBE), "deletion_same_answer"
    same, right = (chain_means(rows, ok(name), pl.col("step").is_not_null()) for name in ("same_answer", "correct"))
    x = (pl.col("step") - 0.5) / pl.col("n_steps")
    placed = by_place(filled(rows.with_columns(x.alias("x"), ok("same_answer").cast(pl.Float64).alias("s"))))
    return [
        effect(same, PROBE, metric, of_chain("mean"), "mean"),
        effect(placed, PROBE, metric, reading(), "by_position", pl.col("place")),
        effect(right, PROBE, "deletion_accuracy", of_chain("mean")),
    ]
