"""The results made from a run's committed rows: estimates, comparisons and report. Older ones are overwritten."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.report.endings import endings
from cotfaith.cluster.report.page import render_shown
from cotfaith.cluster.report.shown import joined, read_side_by_side, read_transcripts, shown
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.stats.aggregate import added, estimates_of
from cotfaith.cluster.stats.conditioned.comparisons import comparisons_of
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.summed import Summed, summed
from cotfaith.cluster.stats.tally import Tally
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import Each, each_batch
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_checks, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord


def write_estimates(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Compute, write and return the estimates; ``each``: where the rows are worked on whose sums are not kept."""
    return write_sums(store, run, each)[1]


def write_sums(store: Store, run: RunRecord, each: Each = each_batch) -> tuple[Tally, pa.Table]:
    """Write the estimates as ``write_estimates`` does; return the sums that they rest on, and the estimates."""
    made: Summed[None] = summed(store, run, each)
    return _write(store, run, made)[:2]


def write_results(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Write the estimates and the report, with the checks of a validation if there are any; return the estimates."""
    ledger = read_ledger(store, run)
    made = summed(store, run, each, shown, ledger)
    _, estimates, comparisons = _write(store, run, made)
    everything = joined(made.seen)
    transcripts = read_transcripts(store, run.run_id, ledger, everything, known_words())
    beside = read_side_by_side(store, run.run_id, ledger, everything)
    checks, complete = load_checks(store), completeness(store, run, ledger)
    said = endings(run, ledger, read_estimates(estimates))
    compared = comparisons.to_pylist()
    html = render_shown(run, everything, transcripts, estimates, checks, complete, said, beside, compared)
    store.put(keys.REPORT, html.encode())
    return estimates


def _write(store: Store, run: RunRecord, made: Summed[Any]) -> tuple[Tally, pa.Table, pa.Table]:
    """Write the estimates and the comparisons; return the sums and both."""
    total = added(made.tallies)
    estimates = withhold(estimates_of([total], made.unknown, run.run_id), run.spec.min_agreement)
    comparisons = comparisons_of(total[0].kept, estimates, run.run_id, run.spec.models)
    _put(store, keys.ESTIMATES, estimates)
    _put(store, keys.COMPARISONS, comparisons)
    return total[0], estimates, comparisons


def _put(store: Store, key: str, table: pa.Table) -> None:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    store.put(key, buffer.getvalue())
