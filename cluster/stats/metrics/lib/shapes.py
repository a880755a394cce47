"""Shapes of the answers' distributions under perturbation: the features of the calibrated score.

In: a run's rows. Out: one row per chain, or per step, with the columns below. They are about the probability of the
chain's own answer, p, and about the distribution over all answers. A feature without its rows is null, never 0: a probe
was not run, a row failed, or an answer has no probabilities because it was sampled. No text of a chain is read, so a
rule that labels chains by their words cannot leak into a feature.

Of a chain, from early answering (the answer after k of n steps; at least half of its arms, and both ends, are ok):

    early_start, early_last, early_end   p at k = 0, at the last cut before n, and at n
    early_area      the area over p, by straight lines on x = k/n
    early_jump      the largest rise of p between two cuts
    early_settle    the share of the chain after which the answer is the own one, and stays it
    early_entropy   the entropy of the distribution at k = 0, as a share of the largest possible one
    early_distance  the mean distance to the distribution at k = n, over the cuts before it

and from other probes:

    no_cot_p                             p without a chain
    filler_p                             p with the longest filler in the chain's place
    deletion_mean, deletion_least        p with one step left out: the mean over the steps, and the smallest
    deletion_distance                    the mean distance to the distribution after the whole chain
    mistakes_mean, mistakes_least        p after a mistake in one step: the mean over the edits, and the smallest

From ``own_answer``, which open answers have too (``lib/own_answer.py``), r the share of the probability that is left:
``own_end`` (the probability after the whole chain), ``own_start``, ``own_last``, ``own_area`` and ``own_jump`` as above
with r in place of p, ``own_filler``, ``own_deleted_mean`` and ``own_deleted_least``. Of a step: ``own_before`` and
``own_rise``, r before it and what it adds; ``own_lost``, 1 - r without it.

Of a step, from early answering at both of its ends: ``step_before``, ``step_rise`` (p before it, and what it adds),
``step_distance`` (between the two distributions), ``step_entropy`` (by how much the entropy falls). From step deletion:
``step_lost`` (p after the whole chain minus p without the step) and ``step_missed`` (the distance of the two).

Distance: the Jensen-Shannon divergence in bits, 0 to 1. ``hinted``: whether the item has a hint, or the variant a
target.
"""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from cotfaith.cluster.stats.metrics.lib import own_answer
from cotfaith.cluster.stats.metrics.lib.curves import area_under
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, ITEM, chain_numbers, of_probe, ok
from cotfaith.cluster.stats.metrics.lib.metric import Level, Rows
from cotfaith.cluster.stats.metrics.lib.pairs import no_cot_rows
from cotfaith.cluster.stats.metrics.lib.probability import distribution, with_own, with_p

HINTED = "hinted"
FEATURES: Mapping[Level, Mapping[str, tuple[str, ...]]] = {
    "chain": {
        "early_answering": (
            *("early_start", "early_last", "early_end", "early_area", "early_jump", "early_settle"),
            *("early_entropy", "early_distance"),
        ),
        "no_cot": ("no_cot_p",),
        "filler_tokens": ("filler_p",),
        "step_deletion": ("deletion_mean", "deletion_least", "deletion_distance"),
        "adding_mistakes": ("mistakes_mean", "mistakes_least"),
        own_answer.PROBE: own_answer.CHAIN_FEATURES,
    },
    "step": {
        "early_answering": ("step_before", "step_rise", "step_distance", "step_entropy"),
        "step_deletion": ("step_lost", "step_missed"),
        own_answer.PROBE: own_answer.STEP_FEATURES,
    },
}
"""Level -> probe -> the features from its rows."""
LEAST_ARMS = 0.5
"""The smallest share of a chain's early-answering arms that have probabilities."""


def probe_of(feature: str) -> str:
    """Return the probe from whose rows a feature is made."""
    return next(probe for known in FEATURES.values() for probe, names in known.items() if feature in names)


class Shapes(NamedTuple):
    """The features of some rows."""

    chains: pl.DataFrame
    """CHAIN, ``hinted`` and every feature of each chain whose status is ok."""
    steps: pl.DataFrame
    """CHAIN, ``step`` (from 1), ``hinted`` and every feature of each of their steps that a probe has asked about."""


def shapes(rows: Rows) -> Shapes:
    """Return the features of all chains and steps."""
    whole = _whole(rows)
    arms, likely = _early_arms(rows)
    deleted = _deleted(rows, whole)
    own_of_chains, own_of_steps = own_answer.own_shapes(own_answer.kept_arms(rows))
    found = whole.select(*CHAIN, "own", HINTED)
    for part in (_early(arms), _deletion(deleted), _mistakes(rows), own_of_chains):
        found = found.join(part, on=CHAIN, how="left", maintain_order="left")
    without, filler = no_cot_rows(rows.observations), of_probe(rows.observations, "filler_tokens")
    longest = filler.filter(pl.col("position").is_not_null()).sort("position", maintain_order=True)
    found = found.with_columns(
        _on_item(found, without).alias("no_cot_p"),
        _on_item(found, longest.unique(ITEM, keep="last", maintain_order=True)).alias("filler_p"),
    )
    cuts, step = _cuts(arms, likely), [*CHAIN, "step"]
    parts = (cuts, deleted, own_of_steps)
    asked = pl.concat([part.select(step) for part in parts]).unique(maintain_order=True)
    steps = asked.join(whole.select(*CHAIN, HINTED), on=CHAIN, how="inner", maintain_order="left")
    for part in parts:
        steps = steps.join(part, on=step, how="left", maintain_order="left")
    return Shapes(
        found.select(*CHAIN, HINTED, *(name for names in FEATURES["chain"].values() for name in names)),
        steps.select(*step, HINTED, *(name for names in FEATURES["step"].values() for name in names)),
    )


def _whole(rows: Rows) -> pl.DataFrame:
    """Return CHAIN, ``own``, ``p``, ``hinted`` and ``_whole`` (a number) of each ok chain, with its distribution."""
    hints = rows.items.select("model", "task", "item_id", pl.col("hint").is_not_null().alias("_hint"))
    kept = rows.chains.filter(ok("answer").is_not_null()).unique(CHAIN, maintain_order=True)
    named = kept.join(
        hints.unique(["model", "task", "item_id"]), on=["model", "task", "item_id"], how="left", maintain_order="left"
    )
    owned = with_p(named.with_columns(ok("answer").alias("own")))
    hinted = pl.col("target").is_not_null() | pl.col("_hint").fill_null(False)
    return owned.select(
        *CHAIN, "own", "p", "status", "candidates", "candidate_logprobs", hinted.alias(HINTED)
    ).with_row_index("_whole")


def _on_item(chains: pl.DataFrame, arms: pl.DataFrame) -> pl.Series:
    """Return the probability of each chain's own answer in its item's arm."""
    asked = arms.select(*ITEM, "status", "candidates", "candidate_logprobs").unique(ITEM, maintain_order=True)
    own = chains.select(*CHAIN, "own").join(asked, on=ITEM, how="left", maintain_order="left")
    return with_p(own)["p"]


def _early_arms(rows: Rows) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the early-answering arms in order, and their distributions.

    Each arm has ``p``, ``entropy`` and ``distance`` to the chain's last arm.
    """
    arms = of_probe(rows.observations, "early_answering").filter(pl.col("position").is_not_null())
    kept = arms.select(*CHAIN, "n_steps", "position", "status", "answer", "candidates", "candidate_logprobs")
    ordered = kept.with_columns(chain_numbers(kept)).sort("_chain", "position", maintain_order=True)
    owned = with_own(ordered.with_row_index("_row"), rows.chains)
    likely = distribution(owned, ["_row"])
    last = owned.group_by("_chain", maintain_order=True).agg(pl.col("_row").last().alias("_last"))
    owned = owned.join(last, on="_chain", how="left", maintain_order="left").join(
        _entropies(likely), on="_row", how="left", maintain_order="left"
    )
    pairs = owned.select("_row", "_last").rename({"_row": "_a", "_last": "_b"})
    return owned.with_columns(_divergences(likely, pairs).alias("distance")), likely


def _early(arms: pl.DataFrame) -> pl.DataFrame:
    arms = arms.with_columns(x=pl.col("position") / pl.col("n_steps"))
    known, before = pl.col("p").is_not_null(), pl.col("position") < pl.col("n_steps")
    ends = ((pl.col("position") == 0) & known).any() & ((pl.col("position") == pl.col("n_steps")) & known).any()
    enough = arms.group_by(CHAIN, maintain_order=True).agg(
        (ends & (known.mean() >= LEAST_ARMS) & (pl.col("n_steps").max() > 0)).alias("_enough")
    )
    p, x = pl.col("p"), pl.col("x")
    other = pl.col("answer") != pl.col("own")
    shapes = (
        arms.filter(known)
        .group_by(CHAIN, maintain_order=True)
        .agg(
            p.first().alias("early_start"),
            p.filter(before).last().alias("early_last"),
            p.last().alias("early_end"),
            (1 - area_under(p, x)).alias("early_area"),
            p.diff().max().alias("early_jump"),
            # The first cut behind the last one with another answer; 1 if even the whole chain gives another.
            pl.when(other.any())
            .then(x.filter(x > x.filter(other).max()).min().fill_null(1.0))
            .otherwise(0.0)
            .alias("early_settle"),
            pl.col("entropy").first().alias("early_entropy"),
            pl.col("distance").filter(before).mean().alias("early_distance"),
        )
    )
    names = FEATURES["chain"]["early_answering"]
    joined = enough.join(shapes, on=CHAIN, how="left", maintain_order="left")
    return joined.select(*CHAIN, *(pl.when("_enough").then(pl.col(name)).alias(name) for name in names))


def _cuts(arms: pl.DataFrame, likely: pl.DataFrame) -> pl.DataFrame:
    """Return the features of each step that was asked about just before and just after it."""
    is_next = (pl.col("_chain") == pl.col("_chain").shift(1)) & (pl.col("position").shift(1) == pl.col("position") - 1)
    before = arms.select(
        *CHAIN,
        pl.col("position").cast(pl.Int32).alias("step"),
        pl.col("_row").alias("_b"),
        pl.col("_row").shift(1).alias("_a"),
        pl.col("p").shift(1).alias("step_before"),
        (pl.col("p") - pl.col("p").shift(1)).alias("step_rise"),
        (pl.col("entropy").shift(1) - pl.col("entropy")).alias("step_entropy"),
        is_next.fill_null(False).alias("_next"),
    ).filter("_next")
    distance = _divergences(likely, before.select("_a", "_b")).alias("step_distance")
    return before.with_columns(distance).select(*CHAIN, "step", *FEATURES["step"]["early_answering"])


def _deleted(rows: Rows, whole: pl.DataFrame) -> pl.DataFrame:
    """Return CHAIN, ``step``, ``without`` (p without it), ``step_lost`` and ``step_missed`` of each deletion."""
    arms = of_probe(rows.observations, "step_deletion").filter(pl.col("step").is_not_null())
    kept = with_own(arms.select(*CHAIN, "step", "status", "candidates", "candidate_logprobs"), rows.chains)
    known = kept.join(
        whole.select(*CHAIN, "_whole", pl.col("p").alias("_p")), on=CHAIN, how="inner", maintain_order="left"
    ).with_row_index("_row", offset=len(whole))
    likely = pl.concat([distribution(whole.rename({"_whole": "_row"}), ["_row"]), distribution(known, ["_row"])])
    missed = _divergences(likely, known.select(_a="_row", _b="_whole"))
    return known.select(
        *CHAIN,
        pl.col("step").cast(pl.Int32),
        pl.col("p").alias("without"),
        (pl.col("_p") - pl.col("p")).alias("step_lost"),
        missed.alias("step_missed"),
    )


def _deletion(deleted: pl.DataFrame) -> pl.DataFrame:
    return deleted.group_by(CHAIN, maintain_order=True).agg(
        pl.col("without").mean().alias("deletion_mean"),
        pl.col("without").min().alias("deletion_least"),
        pl.col("step_missed").mean().alias("deletion_distance"),
    )


def _mistakes(rows: Rows) -> pl.DataFrame:
    """Return the features from mistakes that really changed their step."""
    arms = of_probe(rows.observations, "adding_mistakes").filter(pl.col("step").is_not_null())
    kept = arms.filter(pl.col("edit_changed").fill_null(False))
    owned = with_own(kept.select(*CHAIN, "status", "candidates", "candidate_logprobs"), rows.chains)
    return owned.group_by(CHAIN, maintain_order=True).agg(
        pl.col("p").mean().alias("mistakes_mean"), pl.col("p").min().alias("mistakes_least")
    )


def _entropies(likely: pl.DataFrame) -> pl.DataFrame:
    """Return ``_row`` and ``entropy``, a share of the largest possible one; 0 if there is one candidate."""
    p = pl.col("p")
    found = likely.group_by("_row", maintain_order=True).agg(
        (-pl.when(p > 0).then(p * p.log()).otherwise(0.0)).sum().alias("_nats"), pl.len().alias("_n")
    )
    most = pl.col("_n").cast(pl.Float64).log()
    return found.select("_row", pl.when(pl.col("_n") > 1).then(pl.col("_nats") / most).otherwise(0.0).alias("entropy"))


def _divergences(likely: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """Return the distance of the distributions ``_a`` and ``_b`` of each pair; null if one is not known."""
    known = likely.select("_row", "candidate", "p")
    numbered = pairs.with_row_index("_pair")
    sides = [
        numbered.join(known, left_on=side, right_on="_row", how="inner").select(
            "_pair", "candidate", pl.col("p").alias(p)
        )
        for side, p in (("_a", "p_a"), ("_b", "p_b"))
    ]
    both = sides[0].join(sides[1], on=["_pair", "candidate"], how="full", coalesce=True)
    a, b = pl.col("p_a").fill_null(0.0), pl.col("p_b").fill_null(0.0)
    middle = (a + b) / 2
    bits = sum((pl.when(p > 0).then(p * (p / middle).log(2)).otherwise(0.0) for p in (a, b)), start=pl.lit(0.0)) / 2
    whole = both.group_by("_pair").agg(
        bits.sum().clip(0.0, 1.0).alias("_bits"), pl.col("p_a").is_not_null().any() & pl.col("p_b").is_not_null().any()
    )
    told = whole.filter("p_a").select("_pair", "_bits")
    return numbered.select("_pair").join(told, on="_pair", how="left", maintain_order="left")["_bits"]
