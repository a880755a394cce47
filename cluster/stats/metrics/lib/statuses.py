"""How many rows ended how: of the chains, and of each probe. What a judge failed at counts as the judge's."""

from collections.abc import Iterator

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, accountable, of_probe, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, Rows
from cotfaith.schemas.status import Status

SHARE = Metric("status_share", ANY, of_answers=False)


def status_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield whether a row ended with each status that occurs; ok is always among them."""
    probes = rows.observations["probe"].unique().sort().to_list()
    observed = rows.observations.with_columns(accountable()).select(*CHAIN, "probe", "status")
    named = [(None, rows.chains), *((probe, of_probe(observed, probe)) for probe in probes)]
    for probe, found in named:
        for status in sorted({str(Status.OK), *found["status"].to_list()}) if len(found) else ():
            yield scores(found, probe, SHARE.under(status), pl.col("status") == status)
