"""The share of rows with each status, for the chains and for each probe. A judge's failures count for the judge.

Scores are made of some items, so a status has none in items where it does not occur: its share there is 0, which
``with_all_items`` adds to the sums.
"""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, accountable, of_probe, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, GROUP, Metric, Rows
from cotfaith.schemas.status import Status

SHARE = Metric("status_share", ANY, of_answers=False)
NEAR_TIE = "near_tie"
"""The status of near ties where they are left out (``near_ties.py``). No row is written with it; it has no share."""
_OWN = ("num", "num2", "cross", "squares", "least", "most")
"""The sums in which rows with the status alone count; the others count all rows."""


def status_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield, for each status that occurs in the rows, whether a row has it; ok is always included."""
    observed = rows.observations.with_columns(accountable()).select(*CHAIN, "probe", "status")
    named = [(None, rows.chains), *((probe, of_probe(observed, probe)) for probe in rows.probes)]
    for probe, found in named:
        for status in sorted({str(Status.OK), *rows.statuses(probe)} - {NEAR_TIE}) if len(found) else ():
            yield scores(found, probe, SHARE.under(status), pl.col("status") == status)


def with_all_items(lines: pl.DataFrame, metric: str = SHARE.name, always: str = Status.OK) -> pl.DataFrame:
    """Let each status that occurs in a probe's rows count in all its groups and items: 0 where it has no row.

    Args:
        lines: the sums of any metrics, over all items.
        metric: whose methods are statuses, or end in ".STATUS".
        always: the status that has a line wherever there are rows.

    """
    is_share, method = pl.col("metric") == metric, pl.col("method")
    other = lines.filter(~is_share)
    own = lines.filter(is_share).with_columns(
        method.str.extract(r"^(.*\.)", 1).fill_null("").alias("_of"),
        method.str.extract(r"([^.]*)$", 1).alias("_status"),
    )
    occurring = own.select("probe", "_of", "_status").unique(maintain_order=True)
    base = own.filter(pl.col("_status") == always).drop("_status", *_OWN)
    everywhere = base.join(occurring, on=["probe", "_of"], nulls_equal=True)
    named = everywhere.with_columns((pl.col("_of") + pl.col("_status")).alias("method"))
    key = [*GROUP, "probe", "method"]
    counted = named.join(own.select(*key, *_OWN), on=key, how="left", nulls_equal=True)
    return pl.concat([other, counted.with_columns(pl.col(_OWN).fill_null(0.0)).select(lines.columns)])
