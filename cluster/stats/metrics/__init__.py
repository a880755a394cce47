"""Effects: what one item says about one metric, as sums and counts. The step between rows and estimates.

In: ITEMS, CHAINS and OBSERVATIONS rows. Out: one long frame with the columns of ``frame.EFFECT``: an estimate is
sum(numerator) / sum(denominator) over items, between its worst and its best case. One file a
probe; to add one, write its file and call it here. Knows nothing about intervals. Formulas: methods.md.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.adding_mistakes import mistake_effects
from cotfaith.cluster.stats.metrics.answer_order import order_effects
from cotfaith.cluster.stats.metrics.chains import chain_effects, no_cot_effects
from cotfaith.cluster.stats.metrics.early_answering import early_curves, early_effects
from cotfaith.cluster.stats.metrics.filler_tokens import filler_effects
from cotfaith.cluster.stats.metrics.lib.frame import GROUP
from cotfaith.cluster.stats.metrics.lib.readings import reading_effects
from cotfaith.cluster.stats.metrics.lib.statuses import status_effects
from cotfaith.cluster.stats.metrics.lib.ties import tie_effects
from cotfaith.cluster.stats.metrics.paraphrasing import paraphrase_effects
from cotfaith.cluster.stats.metrics.resampling import resampling_effects
from cotfaith.cluster.stats.metrics.step_deletion import deletion_effects
from cotfaith.cluster.stats.metrics.transfer import transfer_effects


def all_effects(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Return the effects of everything that was measured; a probe without rows has none."""
    parts = [
        *chain_effects(items, chains),
        *no_cot_effects(items, chains, observations),
        *early_effects(observations),
        *mistake_effects(observations),
        *paraphrase_effects(observations),
        *filler_effects(observations),
        *deletion_effects(observations),
        *resampling_effects(chains, observations),
        *order_effects(chains, observations),
        *transfer_effects(observations),
        *reading_effects(chains, observations),
        *status_effects(chains, observations),
        *tie_effects(chains, observations),
    ]
    return pl.concat(parts).sort(*GROUP, "probe", "metric", "method", "position", "item_id")


__all__ = ["all_effects", "early_curves"]
