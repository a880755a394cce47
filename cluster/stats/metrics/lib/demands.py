"""What a demand does to a metric: an item's scores under the variant that makes it, minus those under the one without.

In: scores of one metric and method (``frame.py``), and which variant makes the demand of which other. Out: a score for
each item that has one under the demanding variant, in that variant's name: the mean over the item's chains there, minus
the mean over its chains without the demand. Each item counts once. Knows nothing about single metrics.
"""

from dataclasses import replace

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import SHARE, of_difference
from cotfaith.cluster.stats.metrics.lib.frame import ITEM, Value, measured, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.schemas.variants import DEMANDED, NOT_DEMANDED, PLAIN

NO_OTHER = "no_arm_without_demand"
_PLACE = [name for name in ITEM if name != "variant"]


def by_demand(metric: Metric) -> Metric:
    """Return the metric of what a demand adds to ``metric``."""
    assert metric.bounds is not None, "a metric without bounds has no difference with bounds"
    unit = "points" if metric.bounds == SHARE else metric.unit
    bounds, name = of_difference(metric.bounds), f"{metric.name}_by_demand"
    return replace(metric, name=name, bounds=bounds, unit=unit, judged=(), lacking=NO_OTHER)


def pairs_of(obeyed: pl.DataFrame) -> pl.DataFrame:
    """Return ``variant``, which makes a demand, and ``without``, the one without it; null if there is none.

    ``obeyed``: rows of the probe ``obeys``. The two are arms of one intervention, both with a target or both without.
    """
    arms = obeyed.select(
        *(pl.col(name).cast(pl.String) for name in ("variant", "intervention", "condition")),
        pl.col("target").is_not_null().alias("pushes"),
    ).unique(maintain_order=True)
    told, untold = (arms.filter(pl.col("condition") == one).drop("condition") for one in (DEMANDED, NOT_DEMANDED))
    found = told.join(untold.rename({"variant": "without"}), on=["intervention", "pushes"], how="left")
    return found.select("variant", "without").sort("variant", "without")


def variants_of(pairs: pl.DataFrame) -> list[str]:
    """Return the variants of the pairs, and the plain one, with which they are compared."""
    return [PLAIN, *pl.concat([pairs["variant"], pairs["without"]]).drop_nulls().unique().sort().to_list()]


def of_demand(found: pl.DataFrame, pairs: pl.DataFrame, probe: str, metric: Metric) -> pl.DataFrame:
    """Return the scores of ``by_demand(metric)``; ``found``: scores of ``metric``, of whole chains or items."""
    own = found.filter(pl.col("step").is_null() & pl.col("position").is_null())
    own = own.with_columns(pl.col(ITEM).cast(pl.String))
    key = [*_PLACE, "variant"]
    told = _means(own.join(pairs, on="variant", how="inner", maintain_order="left"), [*key, "without"])
    untold = _means(own, key).rename({"variant": "without"})
    both = told.join(untold, on=[*_PLACE, "without"], how="left", maintain_order="left", suffix="_without")
    value = pl.col("value") - pl.col("value_without")
    least, most = pl.col("least") - pl.col("most_without"), pl.col("most") - pl.col("least_without")
    arms = (pl.col(name).fill_null(0) for name in ("n_without", "n_ok_without"))
    made = scores(both, probe, by_demand(metric), Value(value, least, most, *arms))
    return measured(made) if len(found) and found["optional"].all() else made


def _means(found: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Return the mean over an item's chains: of those that have a value, and in the worst and the best case."""
    value = pl.col("value")
    n, n_ok = pl.len().cast(pl.Int64).alias("n"), value.count().cast(pl.Int64).alias("n_ok")
    return found.group_by(key, maintain_order=True).agg(value.mean(), pl.col("least", "most").mean(), n, n_ok)
