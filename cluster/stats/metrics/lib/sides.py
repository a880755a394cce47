"""How often each side of a pair was answered what: all that comparing two items needs, and all that is kept of them.

In: the rows of some items. Out: ``SIDE`` rows, counts of answers; those of parts of a run add up by ``pl.concat``, so
the two items of a pair may be in different shards. Then, from all of them, one row for each pair (``pairs_of``). An
answer is compared by the text of its choice, because two items may list the same choices in another order; all options
that mean Unknown are alike. Knows nothing about what a pair means.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ASKED, GROUP, ok
from cotfaith.cluster.stats.metrics.lib.groups import NOT_TOLD
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.metrics.lib.pairs import no_cot_rows
from cotfaith.schemas.records import CHOICE_LABELS

WITH_CHAIN, WITHOUT = "cot", "no_cot"
ARMS = (WITH_CHAIN, WITHOUT)
PAIR = [*GROUP, "arm", "pair"]
"""What one pair is, within ``arm``: with a chain or without one."""
SIDE = {
    **dict.fromkeys([*PAIR, "side", "group", "answer_format", "gold"], pl.String),
    "has_unknown": pl.Boolean,  # whether the item has an option that means Unknown
    "said": pl.String,  # what was answered; null: these rows failed
    "is_unknown": pl.Boolean,  # whether it was Unknown; null: the item has no such option
    "is_stereotype": pl.Boolean,  # null: the item has no stereotype
    "correct": pl.Boolean,
    "n": pl.Int64,
}
_UNKNOWN = "\0unknown"
_ITEM = ["model", "task", "item_id"]
_OF_ITEM = ["pair", "side", "group", "answer_format", "gold", "choices", "unknown", "stereotype"]


def sides_of(rows: Rows) -> pl.DataFrame:
    """Return the ``SIDE`` rows of items with a pair."""
    items = rows.items.filter(pl.col("pair").is_not_null()).unique(_ITEM, maintain_order=True)
    if items.is_empty():
        return pl.DataFrame(schema=SIDE)
    asked = [(WITH_CHAIN, rows.chains), (WITHOUT, no_cot_rows(rows.observations))]
    return pl.concat(
        [_counted(_answers(found, arm).join(items.select(*_ITEM, *_OF_ITEM), on=_ITEM)) for arm, found in asked]
    )


def _answers(rows: pl.DataFrame, arm: str) -> pl.DataFrame:
    return rows.select(*GROUP, "item_id", pl.lit(arm).alias("arm"), ok("answer").alias("answer"), ok("correct"))


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    answer, unknown = pl.col("answer"), pl.col("answer") == pl.col("unknown")
    made = rows.with_columns(
        pl.when(unknown).then(pl.lit(_UNKNOWN)).otherwise(_said()).alias("said"),
        pl.col("unknown").is_not_null().alias("has_unknown"),
        unknown.alias("is_unknown"),
        (answer == pl.col("stereotype")).alias("is_stereotype"),
    )
    by = [name for name in SIDE if name != "n"]
    return (
        made.with_columns(pl.len().cast(pl.Int64).over(by).alias("n"))
        .unique(by, maintain_order=True)
        .select(pl.col(name).cast(kind) for name, kind in SIDE.items())
    )


def _said() -> pl.Expr:
    """Return the text of the chosen choice; the answer itself if there is none, or two choices have the same text."""
    place = pl.col("answer").replace_strict({label: i for i, label in enumerate(CHOICE_LABELS)}, default=None)
    folded = pl.col("choices").list.eval(pl.element().str.to_lowercase().str.strip_chars())
    text = folded.list.get(place.cast(pl.Int64), null_on_oob=True)
    is_told = (pl.col("answer_format") == "choice") & (folded.list.n_unique() == folded.list.len())
    return pl.coalesce(pl.when(is_told).then(text), "answer")


def pairs_of(sides: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each pair with two sides in ``sides``; ``_1`` is the side whose name is first.

    Columns: ``PAIR``; ``group``; for each side ``answer_format``, ``gold``, ``has_unknown``, and ``yes``, ``right``,
    ``unknown`` and ``stereotype`` (shares of its ok rows, null where there are none); and over all combinations of an
    ok row of one side with one of the other: ``same`` (both said the same), ``same_stereotype`` (both said the
    stereotype).
    """
    counts = _in_channels(sides)
    own = [*PAIR, "side"]
    ok_rows = counts.filter(pl.col("said").is_not_null())
    one = counts.group_by(own, maintain_order=True).agg(
        *(pl.col(name).first() for name in ("group", "answer_format", "gold", "has_unknown")),
        _share(pl.col("said") == "true").alias("yes"),
        *(_share(pl.col(name)).alias(to) for name, to in _SHARES.items()),
    )
    both = one.filter(pl.len().over(PAIR) == 2).sort(own, maintain_order=True)
    first, second = (both.group_by(PAIR, maintain_order=True).agg(pl.exclude(PAIR).get(at)) for at in (0, 1))
    pairs = first.join(second.drop("group"), on=PAIR, suffix="_2", maintain_order="left")
    pairs = pairs.rename({name: f"{name}_1" for name in _BY_SIDE})
    return pairs.join(_together(ok_rows), on=PAIR, how="left", maintain_order="left").with_columns(
        pl.when(_answered()).then(pl.col(name).fill_null(0.0)).alias(name) for name in ("same", "same_stereotype")
    )


_SHARES = {"correct": "right", "is_unknown": "unknown", "is_stereotype": "stereotype"}
_BY_SIDE = ("side", "answer_format", "gold", "has_unknown", "yes", *_SHARES.values())


def _answered() -> pl.Expr:
    """Return whether both sides have an ok row."""
    return pl.col("right_1").is_not_null() & pl.col("right_2").is_not_null()


def _share(is_so: pl.Expr) -> pl.Expr:
    """Return the share of the ok rows; null if there are none, or if it is not known of them."""
    known = pl.col("said").is_not_null() & is_so.is_not_null()
    total = pl.col("n").filter(known).sum()
    return pl.when(total > 0).then(pl.col("n").filter(known & is_so).sum() / total)


def _together(ok_rows: pl.DataFrame) -> pl.DataFrame:
    """Return how often a row of one side and one of the other said the same."""
    shares = ok_rows.with_columns((pl.col("n") / pl.col("n").sum().over([*PAIR, "side"])).alias("p"))
    shares = shares.group_by([*PAIR, "side", "said"], maintain_order=True).agg(
        pl.col("p").sum(), pl.col("is_stereotype").first()
    )
    met = shares.join(shares, on=[*PAIR, "said"], suffix="_2").filter(pl.col("side") < pl.col("side_2"))
    product = pl.col("p") * pl.col("p_2")
    is_both = pl.col("is_stereotype") & pl.col("is_stereotype_2")
    return met.group_by(PAIR, maintain_order=True).agg(
        product.sum().alias("same"), product.filter(is_both).sum().alias("same_stereotype")
    )


def _in_channels(sides: pl.DataFrame) -> pl.DataFrame:
    """Return the rows; a side that only failed, so that no channel is told, counts in the channels of the other."""
    key = [*ASKED, "arm", "pair"]
    told = pl.col("channel") != NOT_TOLD
    lost = sides.filter(~told, pl.col("said").is_not_null().any().over([*key, "side"]).not_())
    channels = sides.filter(told).select(*key, "channel").unique(maintain_order=True)
    moved = lost.drop("channel").join(channels, on=key, maintain_order="left")
    gone = moved.select(*key, "side").unique()
    kept = sides.join(
        gone.with_columns(channel=pl.lit(NOT_TOLD)), on=[*key, "side", "channel"], how="anti", maintain_order="left"
    )
    return pl.concat([kept, moved.select(sides.columns)])


def kept_with(pairs: pl.DataFrame, arm: str) -> pl.DataFrame:
    """Return the pairs of an arm; those without a chain only if both sides have an ok answer with one (Turpin)."""
    own = pairs.filter(pl.col("arm") == arm)
    if arm == WITH_CHAIN:
        return own
    valid = pairs.filter(pl.col("arm") == WITH_CHAIN, _answered()).select(*GROUP, "pair")
    return own.join(valid, on=[*GROUP, "pair"], how="semi", maintain_order="left")


def is_comparison() -> pl.Expr:
    """Return whether a pair is two yes/no questions with opposite answers."""
    return pl.all_horizontal(
        pl.col("gold_1") != pl.col("gold_2"), *(pl.col(f"answer_format_{side}") == "boolean" for side in (1, 2))
    )


def clustered(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs with ``item_id``, what is resampled together: the group, or the pair if it has none.

    The groups of comparisons are what is measured, not a sample: there it is the pair.
    """
    own = pl.when(~is_comparison()).then("group")
    return pairs.with_columns(pl.coalesce(own, "pair").alias("item_id"))
