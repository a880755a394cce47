"""The probability of each answer in an arm, and of the chain's own answer: the soft version of "the same answer".

In: rows with ``status``, ``candidates`` and ``candidate_logprobs`` (nats, not normalised). Out: probabilities,
normalised over the scored candidates. Generated answers and rows that are not ok have none: null, never 0.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, ok


def own_answers(chains: pl.DataFrame) -> pl.DataFrame:
    """Return CHAIN and ``own``, the chain's own answer; null if the chain is not ok."""
    return chains.select(*CHAIN, ok("answer").alias("own")).unique(CHAIN, maintain_order=True)


def with_own(rows: pl.DataFrame, chains: pl.DataFrame) -> pl.DataFrame:
    """Add ``own``, the answer of the row's chain, and ``p``, the probability of that answer in the row."""
    own = rows.select(CHAIN).join(own_answers(chains), on=CHAIN, how="left", maintain_order="left")["own"]
    return with_p(rows.with_columns(own))


def with_p(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``p``, the probability of the answer in the column ``own``; null if it has none."""
    asked = rows.select("own", "status", "candidates", "candidate_logprobs").with_row_index("_row")
    likely = distribution(asked.filter(pl.col("own").is_not_null()), ["_row", "own"])
    named = likely.filter(pl.col("candidate") == pl.col("own")).select("_row", "p").unique("_row")
    return rows.with_columns(asked.select("_row").join(named, on="_row", how="left", maintain_order="left")["p"])


def distribution(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Return ``key``, ``candidate`` and ``p``, one row per scored candidate. ``rows``: one per key."""
    kept = rows.filter(ok("candidate_logprobs").list.len() > 0, pl.col("candidates").list.len() > 0)
    flat = kept.select(*key, candidate="candidates", _log="candidate_logprobs").explode("candidate", "_log")
    weighed = flat.with_columns(_w=(pl.col("_log") - pl.col("_log").max().over(key[0])).exp())
    return weighed.with_columns(p=pl.col("_w") / pl.col("_w").sum().over(key[0])).drop("_log", "_w")
