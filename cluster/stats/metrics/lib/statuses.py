"""The share of rows with each status, for the chains and for each probe. A judge's failures count for the judge."""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, accountable, of_probe, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, Rows
from cotfaith.schemas.status import Status

SHARE = Metric("status_share", ANY, of_answers=False)


def status_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield, for each status that occurs, whether a row has it; ok is always included."""
    observed = rows.observations.with_columns(accountable()).select(*CHAIN, "probe", "status")
    named = [(None, rows.chains), *((probe, of_probe(observed, probe)) for probe in rows.probes)]
    for probe, found in named:
        for status in sorted({str(Status.OK), *rows.statuses(probe)}) if len(found) else ():
            yield scores(found, probe, SHARE.under(status), pl.col("status") == status)
