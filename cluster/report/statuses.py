"""How many rows of a run have which status, by task and model: for its chains, and for each probe."""

from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import accountable
from cotfaith.schemas.status import Status

Row = dict[str, Any]


def statuses(chains: pl.DataFrame, observations: pl.DataFrame) -> list[str]:
    """Return ok and every status that occurs."""
    found = {*chains["status"].unique().to_list(), *observations["status"].unique().to_list()}
    return [str(Status.OK), *sorted(found - {Status.OK})]


def failures(chains: pl.DataFrame, observations: pl.DataFrame) -> list[Row]:
    """Return the number of rows by status, for the chains and each probe; a judge's failures count for the judge."""
    parts = [
        chains.select("task", "model", pl.lit("chains").alias("of"), "status", pl.lit(1).alias("n")),
        observations.select("task", accountable(), pl.col("probe").alias("of"), "status", "n"),
    ]
    known = statuses(chains, observations)
    table: dict[tuple[str, str, str], dict[str, int]] = {}
    for part in parts:
        counts = part.group_by("task", "model", "of", "status").agg(pl.col("n").sum()).sort("task", "model", "of")
        for task, model, of, status, count in counts.iter_rows():
            table.setdefault((task, model, of), dict.fromkeys(known, 0))[status] = count
    ordered = sorted(table.items(), key=lambda entry: (entry[0][:2], entry[0][2] != "chains", entry[0][2]))
    return [
        {"task": task, "model": model, "of": of, "counts": list(counts.items()), "total": sum(counts.values())}
        for (task, model, of), counts in ordered
    ]
