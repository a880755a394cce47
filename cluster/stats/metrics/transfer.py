"""Transfer: how well other models (the readers) answer with the subject's chain.

The method names the reader. All differences are paired, chain by chain. ``transfer_gap``: right for the author itself
in a fresh context, minus right for the reader. ``transfer_gain``: right for the reader with the chain, minus right for
the same reader without any chain: what it got from the text, rather than knew. ``transfer_accuracy_paired``: the
readers side by side, on the chains after which all of them gave an answer.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, GROUP, ITEM, difference, measured, of_probe, ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.pairs import gain, no_cot_rows, with_no_cot

PROBE = "transfer"
ACCURACY = Metric("transfer_accuracy", ANY)
PAIRED = Metric("transfer_accuracy_paired", ANY)
SAME = Metric("transfer_same_answer", ANY)
GAP = Metric("transfer_gap", ANY, bounds=DIFFERENCE, unit="points")
GAIN = Metric("transfer_gain", ANY, bounds=DIFFERENCE, unit="points")


def transfer_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield each reader's accuracy, same answer, gap to the author and gain over no chain."""
    read = of_probe(rows.observations, PROBE).filter(pl.col("reader").is_not_null())
    pairs = _with_author(_with_own_no_cot(read, no_cot_rows(rows.observations)))
    pairs = pairs.with_columns(_all_answered().alias("paired"))
    for reader in read["reader"].unique().sort().to_list():
        yield from _of_reader(pairs.filter(pl.col("reader") == reader), reader)


def _of_reader(rows: pl.DataFrame, reader: str) -> list[pl.DataFrame]:
    right = ok("correct").cast(pl.Float64)
    paired = pl.when("paired").then(right)
    gap = difference(pl.col("author_correct"), right)
    others = rows.filter(pl.col("model") != reader)
    return [
        scores(rows, PROBE, ACCURACY.under(reader), right),
        measured(scores(rows, PROBE, PAIRED.under(reader), paired)),
        scores(rows, PROBE, SAME.under(reader), ok("same_answer")),
        measured(scores(others, PROBE, GAP.under(reader), gap)),
        measured(scores(rows, PROBE, GAIN.under(reader), gain())),
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


METRICS = ProbeMetrics(probe=PROBE, metrics=(ACCURACY, PAIRED, SAME, GAP, GAIN), scores=transfer_scores)
