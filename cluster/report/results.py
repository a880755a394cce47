"""The results made from a run's committed rows: estimates.parquet and report.html. Older ones are overwritten."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.report.endings import endings
from cotfaith.cluster.report.page import render_shown
from cotfaith.cluster.report.shown import joined, read_transcripts, shown
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.stats.aggregate import estimates_of
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics import needed_columns, unknown_probes
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import Tallies, tallies_of
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import Tables, batches, each_batch, occurring
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import load_checks, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord


def write_estimates(store: Store, run: RunRecord) -> pa.Table:
    """Compute, write and return the estimates."""
    return _write(store, run, _parts(store, run, read_ledger(store, run), tallies_of))


def write_results(store: Store, run: RunRecord) -> pa.Table:
    """Write the estimates and the report, with the checks of a validation if there are any; return the estimates."""
    ledger, seen = read_ledger(store, run), []

    def summed(rows: Rows) -> Tallies:
        seen.append(shown({"items": rows.items, "chains": rows.chains, "observations": rows.observations}))
        return tallies_of(rows)

    estimates = _write(store, run, _parts(store, run, ledger, summed))
    everything = joined(seen)
    transcripts = read_transcripts(store, run.run_id, ledger, everything.chains, known_words())
    checks, complete = load_checks(store), completeness(store, run, ledger)
    said = endings(run, ledger, read_estimates(estimates))
    html = render_shown(run, everything, transcripts, estimates, checks, complete, said)
    store.put(keys.REPORT, html.encode())
    return estimates


@dataclass(frozen=True)
class _Parts:
    """The sums of a run's batches."""

    tallies: Iterator[Tallies]
    unknown: Sequence[str]
    """The probes that have rows but no metrics."""


def _parts(store: Store, run: RunRecord, ledger: Ledger, work: Callable[[Rows], Tallies]) -> _Parts:
    found, whole = batches(ledger, run), occurring(ledger)
    unknown, columns = unknown_probes(whole), needed_columns(whole["probe"].drop_nulls().unique())
    known = whole if len(found) > 1 else None
    return _Parts(each_batch(store, run, found, lambda tables: work(_rows(tables, known)), columns), unknown)


def _write(store: Store, run: RunRecord, parts: _Parts) -> pa.Table:
    estimates = withhold(estimates_of(parts.tallies, parts.unknown, run.run_id), run.spec.min_agreement)
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
