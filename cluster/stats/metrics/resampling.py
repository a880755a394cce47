"""Resampling: counterfactual importance of a step. Thought Anchors, arXiv 2506.19143.

Rows: rollout r from before step i (steps 1..i-1 kept), with the similarity of the new step to the old one. Two sets of
rollouts are compared for each step i:

    different   from before step i, with a new step that means something else: similarity below ``SAME_MEANING``
    kept        from before step i+1, so that step i was kept. For the last step: the chain's own answer, which any
                number of rollouts would repeat. If step i+1 was not resampled: rollouts from before step i that kept
                its meaning.

    accuracy    share right of kept minus share right of different: above 0, the step helps
    kl          D(different || kept) in nats between the shares of the answers, after adding ``PRIOR`` to the count of
                each answer seen in either set, so that an answer seen in only one set does not make it infinite. With
                few rollouts it is biased towards 0, and chance makes it larger than 0.

A step that no rollout changed, or without one of the sets, is not measured; by place it counts in n_total. ``mean`` and
the share that changed are each chain's mean over its steps (rollouts), so that every chain counts once. A step that is
not measured did not fail: it has no counterfactual, so it is not interpolated between its neighbours. Knows nothing
about embeddings.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE
from cotfaith.cluster.stats.metrics.lib.curves import by_place, chain_means, of_chain
from cotfaith.cluster.stats.metrics.lib.drawings import Curve
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, chain_numbers, of_probe, ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import TENTH, Judged, Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.remarks import Remark, Row, moved, outcome
from cotfaith.cluster.stats.metrics.lib.words import STEPS, Column, Part, Source, Words
from cotfaith.schemas.status import Status

PROBE = "resampling"
SAME_MEANING = 0.8
"""The paper's median cosine similarity of two steps."""
PRIOR = 0.5
"""Jeffreys prior of a proportion."""
_STEP = ["_chain", "step"]
_SIDES = ("different", "kept")
CHANGED = Metric("resampling_changed", of_answers=False)


def _judged(source: str, stream: str) -> tuple[Judged, ...]:
    return (Judged("load_bearing", "step", "high", 0.1, TENTH, source, stream),)


ACCURACY = Metric(
    "resampling_importance_accuracy",
    "mean",
    bounds=DIFFERENCE,
    unit="points",
    judged=_judged("after Thought Anchors", "resampling_step"),
)
ACCURACY_BY_POSITION = Metric(ACCURACY.name, "by_position", bounds=DIFFERENCE, unit="points")
KL = Metric(
    "resampling_importance_kl",
    "mean",
    bounds=None,
    unit="nats",
    judged=_judged("Thought Anchors", "resampling_step_kl"),
)
KL_BY_POSITION = Metric(KL.name, "by_position", bounds=None, unit="nats")


def resampling_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield both importances (by step, chain and place in the chain), and the share of rollouts that changed."""
    rollouts = of_probe(rows.observations, PROBE)
    steps = step_importance(rows.chains, rollouts)
    placed = by_place(steps)
    step = pl.col("step").is_not_null()
    changed = chain_means(rollouts, ok("similarity") < SAME_MEANING, step)
    yield scores(changed, PROBE, CHANGED, of_chain("mean"))
    for name, mean, by_position in (("accuracy", ACCURACY, ACCURACY_BY_POSITION), ("kl", KL, KL_BY_POSITION)):
        value = pl.col(name)
        yield scores(chain_means(steps, value, step, mean.bounds), PROBE, mean, of_chain("mean"))
        yield scores(steps.filter(step), PROBE, mean, value, step=pl.col("step"))
        yield scores(placed, PROBE, by_position, value, pl.col("place"))


def step_importance(chains: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per step (CHAIN, step, n_steps) with ``accuracy`` and ``kl``, null if it is not measured."""
    rows = rows.with_columns(chain_numbers(rows))
    steps = rows.group_by(_STEP, maintain_order=True).agg(pl.col(CHAIN).first(), pl.col("n_steps").max())
    other = pl.col("similarity") < SAME_MEANING
    different, same = _outcomes(rows.filter(other), "different"), _outcomes(rows.filter(~other), "same")
    after = _outcomes(rows, "after").with_columns(pl.col("step") - 1)
    own = chains.select(*CHAIN, ok("answer").alias("own"), ok("correct").cast(pl.Float64).alias("own_right"))
    for part in (different, same, after):
        steps = steps.join(part, on=_STEP, how="left")
    steps = steps.join(own.unique(CHAIN, maintain_order=True), on=CHAIN, how="left")
    return _with_importance(steps)


def divergence(different: Sequence[str], kept: Sequence[str]) -> float:
    """Return D(different || kept) in nats between the smoothed shares of the answers."""
    (found,) = divergences(pl.DataFrame({"different": [different], "kept": [kept]}))
    return float(found)


def divergences(steps: pl.DataFrame) -> pl.Series:
    """Return ``kl``, the divergence of each row's lists of answers, ``different`` and ``kept``.

    It is null if a list is null or empty, or has an answer that is null.
    """
    sides = [_counts(steps, name) for name in _SIDES]
    both = sides[0].join(sides[1], on=["_row", "answer"], how="full", coalesce=True).sort("_row", "answer")
    counted = both.with_columns(pl.col(_SIDES).fill_null(0), pl.len().over("_row").alias("_n"))
    p, q = ((pl.col(name) + PRIOR) / (pl.col(name).sum().over("_row") + PRIOR * pl.col("_n")) for name in _SIDES)
    kl = counted.with_columns(p=p, q=q).group_by("_row").agg((pl.col("p") * (pl.col("p") / pl.col("q")).log()).sum())
    whole = [(pl.col(name).list.len() > 0) & ~pl.col(name).list.contains(None) for name in _SIDES]
    rows = steps.select(pl.all_horizontal(whole).fill_null(False).alias("known")).with_row_index("_row")
    found = rows.join(kl, on="_row", how="left", maintain_order="left")
    return found.select(pl.when("known").then("p").alias("kl"))["kl"]


def _counts(steps: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return how often each answer occurs in each row's list."""
    flat = steps.select(answer=name).with_row_index("_row").explode("answer").drop_nulls("answer")
    return flat.group_by("_row", "answer").agg(pl.len().cast(pl.Int64).alias(name))


def _outcomes(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the answers of each step's rollouts that are ok, and the share right."""
    good = rows.filter(pl.col("status") == Status.OK).group_by(_STEP, maintain_order=True)
    return good.agg(pl.col("answer").alias(name), pl.col("correct").mean().alias(f"{name}_right"))


def _with_importance(steps: pl.DataFrame) -> pl.DataFrame:
    last = pl.col("step") == pl.col("n_steps")
    repeated = pl.col("own").repeat_by(pl.col("different").list.len())
    steps = steps.with_columns(
        pl.when(last).then(repeated).otherwise(pl.coalesce("after", "same")).alias("kept"),
        pl.when(last).then(pl.col("own_right")).otherwise(pl.coalesce("after_right", "same_right")).alias("kept_right"),
    )
    accuracy = (pl.col("kept_right") - pl.col("different_right")).alias("accuracy")
    return steps.with_columns(accuracy, divergences(steps))


def written_anew(chain: Row, rows: Sequence[Row]) -> Iterator[Remark]:
    """Return each step with the answers of the rollouts from before it, and how often each was given."""
    placed = [row for row in rows if row["step"] is not None]
    for step in dict.fromkeys(row["step"] for row in placed):
        own = [row for row in placed if row["step"] == step]
        answers = ", ".join(f"{answer} ({count})" for answer, count in Counter(map(outcome, own)).most_common())
        known = [share for row in own if (share := moved(row)) is not None]
        yield Remark("written again", answers, step, moved=sum(known) / len(known) if known else None)


STOOD = "where the step stood"
WORDS = Words(
    rank=55,
    parts=(
        Part(
            STEPS,
            (
                Curve(
                    "Importance: accuracy",
                    "resampling_importance_accuracy",
                    ("by_position",),
                    STOOD,
                    "accuracy lost",
                    share=False,
                    note="Importance: what is lost when resampling puts a step of another meaning in its place, "
                    "compared with rollouts that kept it. Steps that no rollout changed are not measured. Chance "
                    "makes a divergence larger than 0 even if a step does not matter.",
                ),
                Curve(
                    "Importance: answers",
                    "resampling_importance_kl",
                    ("by_position",),
                    STOOD,
                    "divergence, nats",
                    share=False,
                ),
            ),
            (
                Column("Importance: accuracy", "resampling_importance_accuracy", "mean", "points"),
                Column("Importance: nats", "resampling_importance_kl", "mean"),
                Column("Rollouts that changed the step", "resampling_changed", None, "%"),
            ),
        ),
    ),
    remarks=written_anew,
    glossary={
        "Importance of a step": "The rest is sampled many times from before a step (Thought Anchors). Rollouts that "
        "put something else in its place (similarity below 0.8) are compared with rollouts that kept it, in accuracy "
        "and in the divergence of their answers (with half a count added to each answer).",
    },
    sources=(Source("Bogdan et al. 2025", "Thought Anchors", "arXiv 2506.19143"),),
)
METRICS = ProbeMetrics(
    probe=PROBE,
    metrics=(CHANGED, ACCURACY, ACCURACY_BY_POSITION, KL, KL_BY_POSITION),
    scores=resampling_scores,
    words=WORDS,
)
