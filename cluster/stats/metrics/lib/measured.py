"""The models of one task, strategy and channel, with one metric's sums: what is compared.

In: what is kept of their items (``metrics/conditioned.py``). Out: ``Observed``, or why there is none. Skill is the
probability of the gold answer without a chain; where a model has no such probability, because its answers are sampled,
it is whether that answer is right, for all models compared: strata of two kinds of items, which are coarse.

Shapes: R = rows, one for each item and model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.cluster.stats.metrics.lib.standardised import Observed

SKILLS = {"p0": "strata", "y0": "strata of answers"}
"""Column of skill -> what an interval says of it."""
ONE_MODEL = "one_model"
NOT_MEASURED = "not_measured"
NO_SKILL = "no_answers_without_a_chain"
NO_SUPPORT = "no_common_support"


@dataclass(frozen=True)
class Measured:
    """The rows of some models that have a value and a skill."""

    rows: Observed
    how: str
    """What the strata are of, in the words of ``interval``."""
    known: float
    """The share of the rows with a value whose skill is known too."""


def measured(items: pl.DataFrame, models: Sequence[str], metric: Metric) -> Measured | str:
    """Return the rows of ``models``, or why there are none: the column ``interval`` says it."""
    num, den = columns(metric)
    valued = items.filter(pl.col("model").is_in(list(models)) & (pl.col(den) > 0))
    if valued["model"].n_unique() < len(models):
        return NOT_MEASURED
    for skill, how in SKILLS.items():
        own = valued.filter(pl.col(skill).is_not_null())
        if own["model"].n_unique() == len(models):
            return Measured(_observed(own, models, skill, (num, den)), how, len(own) / len(valued))
    return NO_SKILL


def _observed(own: pl.DataFrame, models: Sequence[str], skill: str, sums: tuple[str, str]) -> Observed:
    place = {model: m for m, model in enumerate(models)}
    ids = own["item_id"].rank("dense").to_numpy().astype(np.int64) - 1
    model_R = own["model"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    skill_R, num_R, den_R = (own[name].to_numpy().astype(np.float64) for name in (skill, *sums))
    return Observed(model_R, ids, skill_R, num_R, den_R, len(models))
