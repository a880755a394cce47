"""Effects of filler in the chain's place. Lanham et al. 2023, arXiv 2307.13702, section 2.5.

An item's arms are points over the number of repeats; one that failed is read off the straight line between its
neighbours, as in ``curves.py``.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.chains import gain, no_cot_rows, with_no_cot
from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE, SHARE, Bounds
from cotfaith.cluster.stats.metrics.lib.curves import filled, reading
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, ITEM, Value, effect, of_probe, ok

PROBE = "filler_tokens"


def filler_effects(observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return accuracy by number of filler repeats, and its paired gain over no chain.

    Items with short chains have no long arms, so positions differ in their items; gains are paired and comparable. An
    item's last arm is as long as its own longest chain: where no other item has that length it is in ``longest`` only.
    ``paired`` beside ``no_cot`` shows the two accuracies of which they are the difference. ``longest`` takes each
    item's longest filler. ``best_post_hoc`` takes the number of repeats that turned out best (among those that at least
    half of the items have), so it errs upwards.
    """
    no_cot = no_cot_rows(observations)
    rows = of_probe(observations, PROBE).with_columns(pl.col("position").alias("x"), ok("correct").alias("s"))
    pairs = with_no_cot(filled(rows, ITEM), no_cot)
    placed = _shared(pairs.filter(pl.col("position").is_not_null()))
    asked = placed.join(no_cot.select(GROUP).unique(), on=GROUP, how="semi")
    at = pl.col("position")
    longest = pairs.sort("position", nulls_last=False).group_by(ITEM, maintain_order=True).last()
    both = pl.col("read").is_not_null() & pl.col("no_cot_correct").is_not_null()
    right, without = (pl.when(both).then(pl.col(name)) for name in ("read", "no_cot_correct"))
    return [
        effect(placed, PROBE, "filler_accuracy", reading(), "by_repeats", at),
        effect(asked, PROBE, "filler_accuracy", _read(right), "paired", at),
        effect(asked, PROBE, "filler_accuracy", without, "no_cot", at),
        effect(placed, PROBE, "filler_gain", _gain(), "by_repeats", at),
        effect(longest, PROBE, "filler_gain", _gain(), "longest"),
        effect(_best(placed), PROBE, "filler_gain", _gain(), "best_post_hoc", at),
    ]


def _shared(placed: pl.DataFrame) -> pl.DataFrame:
    """Return the arms whose position several items have; a single item's are all its own."""
    items = pl.col("item_id").n_unique()
    return placed.filter((items.over([*GROUP, "position"]) > 1) | (items.over(GROUP) == 1))


def _read(value: pl.Expr, bounds: Bounds = SHARE) -> Value:
    """Return a value made of an arm's reading: the metric's bounds hold where the arm failed, whatever was read."""
    asked, known = reading().arms, reading().arms_ok
    least, most = (pl.when(pl.col("s").is_null()).then(pl.lit(bound)) for bound in bounds)
    return Value(value, least, most, asked, known)


def _gain() -> Value:
    return _read(gain(pl.col("read")), DIFFERENCE)


def _best(placed: pl.DataFrame) -> pl.DataFrame:
    by_repeats = placed.group_by([*GROUP, "position"]).agg(pl.col("read").mean().alias("accuracy"), pl.len().alias("n"))
    common = by_repeats.filter(pl.col("n") * 2 >= pl.col("n").max().over(GROUP))
    falling = [*[False] * len(GROUP), True, False]
    order = common.sort([*GROUP, "accuracy", "position"], descending=falling, nulls_last=True)
    best = order.group_by(GROUP, maintain_order=True).first().select([*GROUP, "position"])
    return placed.join(best, on=[*GROUP, "position"], how="semi")
