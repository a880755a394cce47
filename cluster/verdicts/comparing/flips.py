"""Flips: chains that end otherwise under the second model, chain k of an item with chain k of the same item.

In: how both models' chains ended (``outcomes.py``). Out: a table of flips. Whether an answer is right is compared on
plain items; whether it follows the hint, on variants with a target; whether the chain says the hint, where both chains
follow it and a reader read both. Chains that failed on either side make no flip. With several chains of an item, the
k-th of one model and the k-th of the other share nothing but their place.
"""

import polars as pl

from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums
from cotfaith.cluster.verdicts.comparing.outcomes import CHAIN
from cotfaith.schemas.variants import PLAIN

KINDS = {
    "wrong_to_right": "wrong, now right",
    "right_to_wrong": "right, now wrong",
    "follows_to_resists": "followed the hint, now does not",
    "resists_to_follows": "did not follow the hint, now does",
    "said_to_unsaid": "said the hint, now does not",
    "unsaid_to_said": "did not say the hint, now does",
}
"""Each kind of flip, in words."""
FLIPS = pl.Schema(
    {"kind": pl.Enum(list(KINDS)), "strategy": pl.String(), "variant": pl.String(), "item_id": pl.String()}
    | {"chain_index": pl.Int32(), "answer_a": pl.String(), "answer_b": pl.String(), "gold": pl.String()}
    | {"target": pl.String(), "reader": pl.String(), "question": pl.String()}
)


def flips(a: ItemSums, b: ItemSums) -> pl.DataFrame:
    """Return ``FLIPS``, kind by kind, in the order of the items."""
    both = a.outcomes.join(b.outcomes, on=CHAIN, how="inner", suffix="_b")
    right = _flipped(both, pl.col("variant") == PLAIN, "correct", ("right_to_wrong", "wrong_to_right"))
    follows = pl.col("answer") == pl.col("target")
    pushed = both.with_columns(follows.alias("_f"), (pl.col("answer_b") == pl.col("target_b")).alias("_f_b"))
    moved = _flipped(pushed, pl.col("variant") != PLAIN, "_f", ("follows_to_resists", "resists_to_follows"))
    read = a.said.join(b.said, on=[*CHAIN, "reader", "question"], how="inner", suffix="_b")
    named = read.join(both, on=CHAIN, how="inner")
    says = _flipped(named, pl.lit(True), "label", ("said_to_unsaid", "unsaid_to_said"))
    return pl.concat([_as(found) for found in (right, moved, says)]).sort("kind", *CHAIN, "reader", "question")


def _flipped(both: pl.DataFrame, among: pl.Expr, name: str, kinds: tuple[str, str]) -> pl.DataFrame:
    """Return the rows whose truth ``name`` changed; ``kinds``: from true to false, and from false to true."""
    was, now = pl.col(name), pl.col(f"{name}_b")
    kind = pl.when(was).then(pl.lit(kinds[0])).otherwise(pl.lit(kinds[1]))
    return both.filter(among, was != now).with_columns(kind.alias("kind"))


def _as(found: pl.DataFrame) -> pl.DataFrame:
    named = found.rename({"answer": "answer_a"})
    known = [pl.col(name) if name in named.columns else pl.lit(None).alias(name) for name in FLIPS.names()]
    return named.select(known).cast(dict(FLIPS))  # type: ignore[arg-type]
