"""How many rows ended how: of the chains, and of each probe."""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import effect, of_probe
from cotfaith.schemas.status import Status


def status_effects(chains: pl.DataFrame, observations: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the share of each status that occurs; ok is always among them."""
    probes = observations["probe"].unique().sort().to_list()
    named = [(None, chains), *((probe, of_probe(observations, probe)) for probe in probes)]
    return [part for probe, rows in named for part in _shares(rows, probe)]


def _shares(rows: pl.DataFrame, probe: str | None) -> list[pl.DataFrame]:
    found = sorted({str(Status.OK), *rows["status"].to_list()}) if len(rows) else []
    return [effect(rows, probe, "status_share", pl.col("status") == status, status) for status in found]
