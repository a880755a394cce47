"""The outcome of edits: whether the words changed, and whether the new ones read like a step of such a chain."""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.curves import chain_means, of_chain
from cotfaith.cluster.stats.metrics.lib.frame import measured, scores
from cotfaith.cluster.stats.metrics.lib.metric import Metric
from cotfaith.schemas.status import Status


def edit_metrics(name: str) -> tuple[Metric, Metric]:
    """Return the metrics of ``edit_scores``, in their order."""
    return Metric(f"{name}_changed", of_own_answer=False), Metric(f"{name}_plausible", of_own_answer=False)


def edit_scores(rows: pl.DataFrame, probe: str, metrics: tuple[Metric, Metric], arm: pl.Expr) -> list[pl.DataFrame]:
    """Return each chain's share of edits that changed the words, and among those the share judged plausible.

    ``arm``: whether an edit was asked for in a row; other rows stand for a lost chain. If the editor's
    engine failed, nothing is known of the edit: null.
    """
    failed = pl.col("status") == Status.EDIT_FAILED
    changed = pl.when(failed).then(False).when(pl.col("edit_changed")).then(True)
    plausible = pl.when(changed).then(pl.col("edit_plausible"))
    judged = chain_means(rows.filter(changed), plausible, arm)
    return [
        scores(chain_means(rows, changed, arm), probe, metrics[0], of_chain("mean")),
        measured(scores(judged, probe, metrics[1], of_chain("mean"))),
    ]
