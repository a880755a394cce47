"""The sums of a range of items, made where its rows are, as soon as everything that the run wants of it is committed.

In: a job that is done. Out: the sums, kept beside the rows, so that the run's estimates need not read these. Whichever
job of the range ends last finds nothing missing and makes them; if it is cut off, they are made with the estimates.
"""

import warnings

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.stats.metrics import needed_columns
from cotfaith.cluster.stats.run_sums import RunSums, without_statuses
from cotfaith.cluster.storage.batches import n_observations, occurring
from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog
from cotfaith.cluster.storage.read import read_log, tables_of
from cotfaith.cluster.storage.store import Store

LEAST_ROWS = 5_000
"""Observations of a range that is summed on its own; the rows of smaller ones are soon read, many at a time."""


def keep_sums(job: Job, store: Store, log: ShardLog) -> bool:
    """Make and keep the sums of the job's range, and return True, if the range is complete and has enough rows.

    Nothing that goes wrong here is the job's fault: its rows are committed, and the estimates will say what it is.

    Args:
        job: what was done.
        store: the run's.
        log: the commits of the job's shard. The other models' shards are read if it is worth it.

    """
    if n_observations([log]) * len(job.of_range) < LEAST_ROWS:
        return False
    try:
        ledger = _complete(job, store, log)
        if ledger is not None:
            _keep(RunSums(store, job.run_id, False, ledger, without_statuses(occurring(ledger))))
    except Exception as error:
        warnings.warn(f"{job.name}: its sums are made later: {type(error).__name__}: {error}", stacklevel=2)
        return False
    return ledger is not None


def _complete(job: Job, store: Store, log: ShardLog) -> Ledger | None:
    """Return the shards of the range, of all models; None if one of them lacks a row that the run wants."""
    logs: dict[Shard, ShardLog] = {}
    for model in sorted(job.of_range, key=lambda model: model != job.shard.model):  # its own first
        shard = job.shard._replace(model=model)
        logs[shard] = log if shard == job.shard else read_log(store, shard)
        if any(len(logs[shard].live.get(piece, {})) < shard.stop - shard.start for piece in job.of_range[model]):
            return None
    return Ledger(dict(sorted(logs.items())))


def _keep(sums: RunSums) -> None:
    if sums.missing():
        tables = tables_of(sums.store, sums.ledger.logs.values(), sums.run_id, needed_columns(sums.probes))
        sums.keep(sums.making([0])(tables))
