"""Effects of resampling: counterfactual importance of a step. Thought Anchors, arXiv 2506.19143.

Rows: rollout r from before step i (steps 1..i-1 kept), with the similarity of the new step to the old one. Two sets of
rollouts are compared for each step i:

    different   from before step i, whose new step means something else: similarity below ``SAME_MEANING``
    kept        from before step i+1, so that step i stood. Of the last step: the chain's own answer, which any number
                of rollouts would repeat. Where step i+1 was not resampled: those from before step i that kept its
                meaning.

    accuracy    share right of kept minus share right of different: above 0, the step helps
    kl          D(different || kept) in nats between the shares of the answers, after adding ``PRIOR`` to the count of
                each answer seen in either set, so that an answer seen in one set alone gives no infinity. With few
                rollouts it errs towards 0, and is above 0 by chance alone.

A step that no rollout changed, or without one side, is not measured; by place it counts in n_total. ``mean`` and the
share that changed are each chain's mean over its steps (rollouts), so that every chain counts once. A step that is not
measured did not fail: it has no counterfactual, so it is not read off its neighbours. Knows no embeddings.
"""

import math
from collections import Counter
from collections.abc import Sequence

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import bounds_of
from cotfaith.cluster.stats.metrics.lib.curves import by_place, chain_means, of_chain
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, effect, of_probe, ok
from cotfaith.schemas.status import Status

PROBE = "resampling"
SAME_MEANING = 0.8
"""The paper's median cosine similarity of two steps."""
PRIOR = 0.5
"""Jeffreys' prior of a share."""
STEP = [*CHAIN, "step"]


def resampling_effects(chains: pl.DataFrame, observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return both importances, over all steps and by place in the chain, and the share of rollouts that changed."""
    rows = of_probe(observations, PROBE)
    steps = step_importance(chains, rows)
    placed = by_place(steps)
    step = pl.col("step").is_not_null()
    changed = chain_means(rows, ok("similarity") < SAME_MEANING, step)
    parts = [effect(changed, PROBE, "resampling_changed", of_chain("mean"))]
    for name in ("accuracy", "kl"):
        metric, value = f"resampling_importance_{name}", pl.col(name)
        means = chain_means(steps, value, step, bounds_of(metric))
        parts.append(effect(means, PROBE, metric, of_chain("mean"), "mean"))
        parts.append(effect(placed, PROBE, metric, value, "by_position", pl.col("place")))
    return parts


def step_importance(chains: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per step (CHAIN, step, n_steps) with ``accuracy`` and ``kl``, null where it is not measured."""
    steps = rows.group_by(STEP, maintain_order=True).agg(pl.col("n_steps").max())
    other = pl.col("similarity") < SAME_MEANING
    different, same = _outcomes(rows.filter(other), "different"), _outcomes(rows.filter(~other), "same")
    after = _outcomes(rows, "after").with_columns(pl.col("step") - 1)
    own = chains.select(*CHAIN, ok("answer").alias("own"), ok("correct").cast(pl.Float64).alias("own_right"))
    for part in (different, same, after):
        steps = steps.join(part, on=STEP, how="left")
    steps = steps.join(own.unique(CHAIN, maintain_order=True), on=CHAIN, how="left")
    return _with_importance(steps)


def divergence(different: Sequence[str], kept: Sequence[str]) -> float:
    """Return D(different || kept) in nats between the smoothed shares of the answers."""
    answers = sorted({*different, *kept})
    p, q = _shares(different, answers), _shares(kept, answers)
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def _outcomes(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the answers of each step's rollouts that are ok, and the share right."""
    good = rows.filter(pl.col("status") == Status.OK).group_by(STEP, maintain_order=True)
    return good.agg(pl.col("answer").alias(name), pl.col("correct").mean().alias(f"{name}_right"))


def _with_importance(steps: pl.DataFrame) -> pl.DataFrame:
    last = pl.col("step") == pl.col("n_steps")
    repeated = pl.col("own").repeat_by(pl.col("different").list.len())
    steps = steps.with_columns(
        pl.when(last).then(repeated).otherwise(pl.coalesce("after", "same")).alias("kept"),
        pl.when(last).then(pl.col("own_right")).otherwise(pl.coalesce("after_right", "same_right")).alias("kept_right"),
    )
    pairs = zip(steps["different"].to_list(), steps["kept"].to_list(), strict=True)
    kl = [divergence(d, k) if d and k and None not in k else None for d, k in pairs]
    accuracy = (pl.col("kept_right") - pl.col("different_right")).alias("accuracy")
    return steps.with_columns(accuracy, pl.Series("kl", kl, dtype=pl.Float64))


def _shares(found: Sequence[str], answers: Sequence[str]) -> list[float]:
    counts = Counter(found)
    total = len(found) + PRIOR * len(answers)
    return [(counts[answer] + PRIOR) / total for answer in answers]
