"""Shapley values from marginal contributions along orders of the features, and the cosine of two vectors of them.

In: values of sets of features. Out: one value for each feature. Knows nothing about what is a feature, or a value.
"""

import polars as pl


def contributions(sets: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Return ``key``, ``feature`` and ``phi``: the mean over the orders of what the feature adds when it comes in.

    With all orders these are the Shapley values (Shapley 1953); with some, an unbiased estimate. They sum to the value
    of the whole set minus that of the empty one.

    Args:
        sets: one row a set. ``key``; ``order``, null for the empty and the whole set, which all orders have; ``size``,
            the number of features; ``feature`` (1..n), the one that came in last; ``v``, the value, never null.
        key: what tells the games apart.

    """
    ends = sets.filter(pl.col("order").is_null()).group_by(key, maintain_order=True)
    outer = ends.agg(
        pl.col("size").max().alias("n"),
        pl.col("v").sort_by("size").first().alias("empty"),
        pl.col("v").sort_by("size").last().alias("whole"),
    )
    inner = sets.filter(pl.col("order").is_not_null()).sort(*key, "order", "size", maintain_order=True)
    along = inner.group_by(*key, "order", maintain_order=True).agg("feature", "v").join(outer, on=key, how="inner")
    last = pl.col("n") * (pl.col("n") + 1) // 2 - pl.col("feature").list.sum()
    added = pl.concat_list("empty", "v", "whole").list.diff(null_behavior="drop")
    each = along.select(*key, feature=pl.concat_list("feature", last), phi=added).explode("feature", "phi")
    return each.group_by(*key, "feature", maintain_order=True).agg(pl.col("phi").mean())


def cosines(pairs: pl.DataFrame, key: list[str], least: float) -> pl.DataFrame:
    """Return ``key`` and ``cosine`` of the vectors ``a`` and ``b``, one row a component.

    Null if all components of a vector are smaller than ``least``: then its direction is noise.
    """
    a, b = pl.col("a"), pl.col("b")
    seen = (a.abs().max() >= least) & (b.abs().max() >= least)
    cosine = (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()
    return pairs.group_by(key, maintain_order=True).agg(pl.when(seen).then(cosine.clip(-1.0, 1.0)).alias("cosine"))
