"""The results made from a run's committed rows: estimates.parquet and report.html. Older ones are overwritten."""

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.labelling.read import read_labels
from cotfaith.cluster.report.endings import endings
from cotfaith.cluster.report.page import render_shown
from cotfaith.cluster.report.shown import Shown, joined, read_side_by_side, read_transcripts, shown
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.stats.aggregate import estimates_of
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics import needed_columns, unknown_probes
from cotfaith.cluster.stats.metrics.lib.judgements import LABELS
from cotfaith.cluster.stats.run_sums import Made, Making, RunSums
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import Each, Tables, batches, check_ranges, each_batch, occurring
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import load_checks, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord

Show = Callable[[Tables], Shown]


def write_estimates(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Compute, write and return the estimates; ``each``: where the rows are worked on whose sums are not kept."""
    sums, unknown = _sums(store, run, read_ledger(store, run))
    made = Made()
    for own, _ in _worked(sums, run, each, sums.missing()):
        made |= own
    return _write(sums, run, made, each, unknown)


def write_results(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Write the estimates and the report, with the checks of a validation if there are any; return the estimates."""
    ledger, seen, made = read_ledger(store, run), list[Shown](), Made()
    sums, unknown = _sums(store, run, ledger)
    for own, one in _worked(sums, run, each, sums.missing(), shown):
        made |= own
        seen += [] if one is None else [one]
    estimates = _write(sums, run, made, each, unknown)
    everything = joined(seen)
    transcripts = read_transcripts(store, run.run_id, ledger, everything.chains, known_words())
    beside = read_side_by_side(store, run.run_id, ledger, everything)
    checks, complete = load_checks(store), completeness(store, run, ledger)
    said = endings(run, ledger, read_estimates(estimates))
    html = render_shown(run, everything, transcripts, estimates, checks, complete, said, beside)
    store.put(keys.REPORT, html.encode())
    return estimates


def _sums(store: Store, run: RunRecord, ledger: Ledger) -> tuple[RunSums, Sequence[str]]:
    """Return the run's sums, and the probes that have rows but no metrics; metrics that packages offer are loaded."""
    whole = occurring(ledger)
    unknown, sums = unknown_probes(whole), RunSums.of(store, run, ledger, whole, _labels(store))
    if not sums.is_old:
        check_ranges(sums.logs)
    return sums, unknown


def _labels(store: Store) -> pl.DataFrame | None:
    """Return people's labels of the run's texts; None if there are none."""
    found = read_labels(store).select(LABELS.names())
    return None if found.is_empty() else found


def _worked(
    sums: RunSums, run: RunRecord, each: Each, missing: Sequence[int], show: Show | None = None
) -> Iterator[tuple[Made, Shown | None]]:
    """Yield sums that are ``missing``, some at a time, and keep them; with ``show``, also what it makes of all rows."""
    ledger = sums.ledger if show else sums.ledger_of(missing)
    if not (missing or show):
        return
    work = partial(_work, sums.making(missing), show)
    columns = needed_columns(sums.probes, labelled=sums.labels is not None)
    for made, one in each(sums.store, run, batches(ledger, run), work, columns):
        sums.keep(made)
        yield made, one


def _work(making: Making, show: Show | None, tables: Tables) -> tuple[Made, Shown | None]:
    """Work on one batch, in any process."""
    return making(tables), None if show is None else show(tables)


def _write(sums: RunSums, run: RunRecord, made: Made, each: Each, unknown: Sequence[str]) -> pa.Table:
    def again(numbers: Sequence[int]) -> Made:
        return next(iter(_worked(sums, run, each, numbers)))[0]

    found = estimates_of(sums.tallies(made, again), unknown, run.run_id)
    estimates = withhold(found, run.spec.min_agreement)
    buffer = io.BytesIO()
    pq.write_table(estimates, buffer, compression="zstd")
    sums.store.put(keys.ESTIMATES, buffer.getvalue())
    return estimates
