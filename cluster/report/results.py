"""The results made from a run's committed rows: estimates.parquet and report.html. Older ones are overwritten."""

import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.report.endings import endings
from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats.aggregate import estimates_of
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics import needed_columns, unknown_probes
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import tallies_of
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import Tables, batches, each_batch, occurring
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import load_checks, read_ledger, read_tables
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord


def write_estimates(store: Store, run: RunRecord) -> pa.Table:
    """Compute, write and return the estimates."""
    return _estimates(store, run, read_ledger(store, run))


def write_results(store: Store, run: RunRecord) -> pa.Table:
    """Write the estimates and the report, with the checks of a validation if there are any; return the estimates."""
    estimates = _estimates(store, run, read_ledger(store, run))
    tables = read_tables(store)
    checks, complete = load_checks(store), completeness(store, run)
    said = endings(run, read_ledger(store, run), read_estimates(estimates))
    html = render(run, tables["items"], tables["chains"], tables["observations"], estimates, checks, complete, said)
    store.put(keys.REPORT, html.encode())
    return estimates


def _estimates(store: Store, run: RunRecord, ledger: Ledger) -> pa.Table:
    found, whole = batches(ledger, run), occurring(ledger)
    unknown, columns = unknown_probes(whole), needed_columns(whole["probe"].drop_nulls().unique())
    known = whole if len(found) > 1 else None
    parts = each_batch(store, run, found, lambda tables: tallies_of(_rows(tables, known)), columns)
    estimates = withhold(estimates_of(parts, unknown, run.run_id), run.spec.min_agreement)
    buffer = io.BytesIO()
    pq.write_table(estimates, buffer, compression="zstd")
    store.put(keys.ESTIMATES, buffer.getvalue())
    return estimates


def _rows(tables: Tables, whole: pl.DataFrame | None) -> Rows:
    """Return the rows; the columns of ``whole`` get the types of theirs."""
    if whole is None:
        return Rows(**tables)
    types = tables["observations"].schema
    return Rows(**tables, whole=whole.select(pl.col(name).cast(types[name]) for name in whole.columns))
