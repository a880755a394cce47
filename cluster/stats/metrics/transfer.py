"""Effects of transfer: how well other models (the readers) answer with the subject's chain.

The method names the reader. All differences are paired, chain by chain. ``transfer_gap``: right for the author itself
in a fresh context, minus right for the reader. ``transfer_gain``: right for the reader with the chain, minus right for
the same reader without any chain: what it got from the text, rather than knew. ``transfer_accuracy_paired``: the
readers side by side, on the chains after which all of them gave an answer.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.chains import gain, no_cot_rows, with_no_cot
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, GROUP, ITEM, difference, effect, measured, of_probe, ok

PROBE = "transfer"


def transfer_effects(observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return each reader's accuracy, same answer, gap to the author and gain over no chain."""
    rows = of_probe(observations, PROBE).filter(pl.col("reader").is_not_null())
    pairs = _with_author(_with_own_no_cot(rows, no_cot_rows(observations)))
    pairs = pairs.with_columns(_all_answered().alias("paired"))
    readers = rows["reader"].unique().sort().to_list()
    return [part for reader in readers for part in _of_reader(pairs.filter(pl.col("reader") == reader), reader)]


def _of_reader(rows: pl.DataFrame, reader: str) -> list[pl.DataFrame]:
    right = ok("correct").cast(pl.Float64)
    paired = pl.when("paired").then(right)
    gap = difference(pl.col("author_correct"), right)
    others = rows.filter(pl.col("model") != reader)
    return [
        effect(rows, PROBE, "transfer_accuracy", right, reader),
        measured(effect(rows, PROBE, "transfer_accuracy_paired", paired, reader)),
        effect(rows, PROBE, "transfer_same_answer", ok("same_answer"), reader),
        measured(effect(others, PROBE, "transfer_gap", gap, reader)),
        measured(effect(rows, PROBE, "transfer_gain", gain(), reader)),
    ]


def _all_answered() -> pl.Expr:
    """Return whether every reader of the chain gave an answer."""
    answered = pl.col("reader").filter(ok("correct").is_not_null()).n_unique().over(CHAIN)
    return answered == pl.col("reader").n_unique().over(GROUP)


def _with_author(rows: pl.DataFrame) -> pl.DataFrame:
    own = rows.filter(pl.col("reader") == pl.col("model"))
    author = own.select(*CHAIN, ok("correct").cast(pl.Float64).alias("author_correct")).unique(
        CHAIN, maintain_order=True
    )
    return rows.join(author, on=CHAIN, how="left")


def _with_own_no_cot(rows: pl.DataFrame, no_cot: pl.DataFrame) -> pl.DataFrame:
    """Add what the reader, not the author, answers without a chain."""
    as_reader = rows.with_columns(pl.col("model").alias("_author"), pl.col("reader").alias("model"))
    found = with_no_cot(as_reader, no_cot)
    return found.with_columns(pl.col("_author").alias("model")).drop("_author").sort([*ITEM, "chain_index", "reader"])
