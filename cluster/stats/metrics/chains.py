"""Effects of the chains themselves, of no_cot, and of the two compared. Lanham et al. 2023, arXiv 2307.13702.

Accuracies that stand side by side rest on the same rows: the method ``paired`` takes the chains that are ok on items
that were answered without one, and their difference is the gain.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import GROUP, ITEM, difference, effect, measured, of_probe, ok

DIFFICULTY = ["model", "task", "item_id"]


def chain_effects(items: pl.DataFrame, chains: pl.DataFrame) -> list[pl.DataFrame]:
    """Return accuracy (also by difficulty), probability of the gold answer and length."""
    graded = _with_difficulty(chains, items)
    return [
        effect(chains, None, "accuracy_cot", ok("correct")),
        effect(graded, None, "accuracy_cot", ok("correct"), "by_difficulty", pl.col("difficulty")),
        measured(effect(chains, None, "p_gold_cot", ok("p_gold"))),
        effect(chains, None, "mean_steps", ok("n_steps")),
        _forced(chains),
    ]


def no_cot_effects(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return accuracy without a chain, and each chain compared with its own item's answer without one."""
    no_cot = no_cot_rows(observations)
    asked = chains.join(no_cot.select(GROUP).unique(), on=GROUP, how="semi")
    pairs, graded = with_no_cot(asked, no_cot), _with_difficulty(no_cot, items)
    same = ok("answer") == pl.col("no_cot_answer")
    return [
        effect(no_cot, "no_cot", "accuracy_no_cot", ok("correct")),
        effect(graded, "no_cot", "accuracy_no_cot", ok("correct"), "by_difficulty", pl.col("difficulty")),
        measured(effect(no_cot, "no_cot", "p_gold_no_cot", ok("p_gold"))),
        *_side_by_side(pairs, "paired"),
        *_side_by_side(_with_difficulty(pairs, items), "paired_by_difficulty", pl.col("difficulty")),
        effect(pairs, "no_cot", "cot_gain", gain()),
        effect(pairs, "no_cot", "same_answer_no_cot", same),
        effect(pairs, "no_cot", "raw_reliance", ~same),
    ]


def no_cot_rows(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the arm without a chain, or the row that stands for an item whose probe broke down."""
    return of_probe(observations, "no_cot")


def with_no_cot(rows: pl.DataFrame, no_cot: pl.DataFrame) -> pl.DataFrame:
    """Add ``no_cot_correct`` and ``no_cot_answer`` of the row's item, null where that arm failed or is missing."""
    baseline = no_cot.select(*ITEM, ok("correct").alias("no_cot_correct"), ok("answer").alias("no_cot_answer"))
    return rows.join(baseline.unique(ITEM, maintain_order=True), on=ITEM, how="left")


def gain(right: pl.Expr | None = None) -> pl.Expr:
    """Return right with what the row had (``right``: its column), minus right without a chain."""
    return difference(ok("correct") if right is None else right, pl.col("no_cot_correct"))


def _side_by_side(pairs: pl.DataFrame, method: str, position: pl.Expr | None = None) -> list[pl.DataFrame]:
    """Return both accuracies over the chains that have a pair; the one without a chain counts once for each of them."""
    both = pl.col("no_cot_correct").is_not_null() & ok("correct").is_not_null()
    sides = {"accuracy_no_cot": pl.col("no_cot_correct"), "accuracy_cot": ok("correct")}
    return [
        effect(pairs, "no_cot", metric, pl.when(both).then(side), method, position) for metric, side in sides.items()
    ]


def _forced(chains: pl.DataFrame) -> pl.DataFrame:
    """Return the share of chains that were cut at the limit and answered all the same, where there are any."""
    forced = pl.col("finish_reason").eq_missing(pl.lit("forced"))
    return effect(chains.filter(forced.any().over(GROUP)), None, "forced_share", forced)


def _with_difficulty(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose item says how hard it is."""
    difficulty = items.select([*DIFFICULTY, "difficulty"]).unique(DIFFICULTY, maintain_order=True)
    return rows.join(difficulty, on=DIFFICULTY, how="left").filter(pl.col("difficulty").is_not_null())
