"""Whether a chain that came with its item leads the model that reads it to the answer that was recorded with it.

``recorded_agreement``: whether the model's answer after the whole chain is the recorded one, for chains that have one.
``recorded_share``: whether a chain has one, for all chains that came with their items. Without a method both are over
all authors; else the method names the author.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, Rows

AGREEMENT = Metric("recorded_agreement", of_own_answer=False)
SHARE = Metric("recorded_share", of_answers=False)
METRICS = tuple(
    metric if method is None else metric.under(method) for metric in (AGREEMENT, SHARE) for method in (None, ANY)
)
_ITEM = ["model", "task", "item_id"]


def recorded_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield both metrics over all imported chains, then by author; nothing if the run has none."""
    chains = _imported(rows)
    yield from _of(chains, AGREEMENT, SHARE)
    for author in chains["_author"].drop_nulls().unique().sort().to_list():
        yield from _of(chains.filter(pl.col("_author") == author), AGREEMENT.under(author), SHARE.under(author))


def _of(chains: pl.DataFrame, agreement: Metric, share: Metric) -> Iterator[pl.DataFrame]:
    has_answer = pl.col("_recorded").is_not_null()
    yield scores(chains, None, share, has_answer)
    yield scores(chains.filter(has_answer), None, agreement, ok("answer") == pl.col("_recorded"))


def _imported(rows: Rows) -> pl.DataFrame:
    """Return the chains that came with their items, with their recorded answer and author."""
    supplied = rows.items.filter(pl.col("supplied_steps").is_not_null()).unique(_ITEM, maintain_order=True)
    known = supplied.select(*_ITEM, _recorded="supplied_answer", _author="supplied_author")
    return rows.chains.join(known, on=_ITEM, how="inner", maintain_order="left")
