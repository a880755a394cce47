"""How often an answer moved from which answer to which, under each variant with a target, and what the chain said.

In: ITEMS, CHAINS and OBSERVATIONS rows of some items, with a variant and a channel (``groups.py``). Out: pairs of a
plain chain and a chain of the same item under a variant (``pairs_of_chains``); and counts of them (``counted``), whose
number does not grow with the run: the counts of parts of a run add up. Chains of different channels make no pair. Knows
nothing about the page.
"""

from collections.abc import Sequence

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import GROUP, ok
from cotfaith.schemas.variants import PLAIN

QUESTIONS = ("present", "relied")
MOST_LABELS = 6
"""Items with more choices are counted by kinds of answers instead of labels."""
NONE, SAME, TARGET, GOLD, OTHER = "none", "same", "target", "gold", "other"
"""Kinds of answers: none that can be used; the plain one again (only under the variant, and if it is not the target);
the target; the gold answer; another one."""
PLACE = [*(name for name in GROUP if name != "variant"), "item_id"]
_UNDER = [*GROUP, "item_id"]
KEY = [*GROUP, "intervention"]
_ITEM = ["model", "task", "item_id"]
CELL = ["was", "now", "was_kind", "now_kind", "goal"]
"""The plain answer and the one under the variant, as labels (null: none, or not counted by label) and as kinds; and the
target's label."""
READING = ["reader", "question", "label"]
"""All null in the rows that count all pairs; the others count the pairs whose chain a judge read."""
COUNTS = {**dict.fromkeys([*KEY, *CELL, *READING[:2]], pl.String), "label": pl.Boolean, "n": pl.Int64, "most": pl.Int64}


def pairs_of_chains(items: pl.DataFrame, chains: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of each item and variant, a line for each two answers.

    Columns: ``KEY``, item_id, ``CELL``, ``plain_index`` and ``chain_index`` (the first chains with these answers),
    ``n_plain`` and ``n_under`` (the numbers of chains), and ``weight`` (how many items the item stands for).
    """
    known = chains.select(*PLACE, "variant", "intervention", "target", "chain_index", ok("answer").alias("_now"))
    place, under = known.filter(pl.col("variant") == PLAIN), known.filter(pl.col("variant") != PLAIN)
    target = pl.col("target").drop_nulls().first().over([*PLACE, "variant"])
    pushed = under.with_columns(target).filter(pl.col("target").is_not_null())
    first, n = pl.col("chain_index").min(), pl.len().cast(pl.Int64)
    before = place.group_by([*PLACE, pl.col("_now").alias("_was")]).agg(first.alias("plain_index"), n.alias("n_plain"))
    after = pushed.group_by([*PLACE, "variant", "intervention", "target", "_now"]).agg(first, n.alias("n_under"))
    weight = pl.col("weight") if "weight" in items.columns else pl.lit(1).alias("weight")
    about = items.select(*_ITEM, "gold", _n_labels().alias("_n"), weight.fill_null(1)).unique(_ITEM)
    pairs = (
        after.join(before, on=PLACE, how="inner")
        .join(about, on=_ITEM, how="left")
        .with_columns(pl.col("weight").fill_null(1))
    )
    return _with_kinds(pairs.with_columns(pl.col("_now", "_was", "target", "gold").cast(pl.String)))


def _with_kinds(pairs: pl.DataFrame) -> pl.DataFrame:
    labels = {"was": "_was", "now": "_now", "goal": "target"}
    is_same = (pl.col("_was") == pl.col("_now")) & (pl.col("_now") != pl.col("target"))
    now = pl.when(is_same).then(pl.lit(SAME)).otherwise(_kind("_now"))
    return pairs.select(
        *(*KEY, "item_id", "chain_index", "plain_index", "n_plain", "n_under", "weight"),
        *(pl.when(pl.col("_n") <= MOST_LABELS).then(name).alias(to) for to, name in labels.items()),
        _kind("_was").alias("was_kind"),
        now.alias("now_kind"),
    )


def _n_labels() -> pl.Expr:
    """Return the number of labels; null for open answers."""
    boolean = pl.col("answer_format") == "boolean"
    return pl.when(boolean).then(2).when(pl.col("answer_format") == "choice").then(pl.col("choices").list.len())


def _kind(name: str) -> pl.Expr:
    answer = pl.col(name)
    kinds = ((answer.is_null(), NONE), (answer == pl.col("target"), TARGET), (answer == pl.col("gold"), GOLD))
    return pl.coalesce(*(pl.when(is_so).then(pl.lit(kind)) for is_so, kind in kinds), pl.lit(OTHER))


def readings(chains: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Return what judges said of the chains that answer the target: ``GROUP``, item_id, chain_index and ``READING``.

    Readings that failed are left out, and those about another hint than the variant's own.
    """
    label = ok("label").alias("label")
    asked = pl.col("question").is_in(list(QUESTIONS)) & pl.col("reader").is_not_null() & pl.col("hint_asked").is_null()
    texts = pl.col("reader", "question").cast(pl.String)
    found = observations.filter(asked, label.is_not_null()).select(*_UNDER, "chain_index", texts, label)
    once = found.unique([*_UNDER, "chain_index", "reader", "question"], keep="first", maintain_order=True)
    followed = chains.filter(ok("answer") == pl.col("target")).select(*_UNDER, "chain_index")
    return once.join(followed, on=[*_UNDER, "chain_index"], how="semi", maintain_order="left")


def counted(pairs: pl.DataFrame, read: pl.DataFrame) -> pl.DataFrame:
    """Return the ``COUNTS`` rows of pairs, and of the readings of those that moved; ``most``: the most of one item."""
    n, times = pl.col("n_plain") * pl.col("n_under"), pl.col("n_plain") * pl.col("weight")
    sized = pairs.with_columns((n * pl.col("weight")).alias("n"), n.sum().over(_UNDER).alias("most"))
    said = read.group_by([*_UNDER, *READING]).agg(pl.len().cast(pl.Int64).alias("n_read"))
    moved = sized.filter(is_moved()).join(said, on=_UNDER, how="inner")
    nobody = sized.with_columns(pl.lit(None, COUNTS[name]).alias(name) for name in READING)
    return added([_counts(nobody), _counts(moved.with_columns(n=times * pl.col("n_read")))])


def is_moved() -> pl.Expr:
    """Return whether a line's pairs moved to the target."""
    return (pl.col("now_kind") == TARGET) & ~pl.col("was_kind").is_in([TARGET, NONE])


def _counts(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(kind) for name, kind in COUNTS.items())


def added(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the counts of all parts, in a fixed order."""
    by = [*KEY, *READING, *CELL]
    sums = pl.concat(parts).group_by(by).agg(pl.col("n").sum(), pl.col("most").max())
    return _counts(sums).sort(by)
