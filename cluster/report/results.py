"""The results made from a run's committed rows: estimates.parquet and report.html. Older ones are overwritten."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

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
from cotfaith.cluster.stats.metrics import Declared, check_declared, declared, needed_columns, unknown_probes
from cotfaith.cluster.stats.metrics.lib.judgements import LABELS
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import Tallies, tallies_of
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import Each, Tables, batches, each_batch, occurring
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import load_checks, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord

T = TypeVar("T")


def write_estimates(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Compute, write and return the estimates; ``each``: where the batches are worked on."""
    parts = _parts(store, run, read_ledger(store, run), tallies_of, each)
    return _write(store, run, parts.made, parts.unknown)


def write_results(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Write the estimates and the report, with the checks of a validation if there are any; return the estimates."""
    ledger, seen = read_ledger(store, run), list[Shown]()
    parts = _parts(store, run, ledger, _tallies_and_shown, each)
    estimates = _write(store, run, _aside(parts.made, seen), parts.unknown)
    everything = joined(seen)
    transcripts = read_transcripts(store, run.run_id, ledger, everything.chains, known_words())
    beside = read_side_by_side(store, run.run_id, ledger, everything)
    checks, complete = load_checks(store), completeness(store, run, ledger)
    said = endings(run, ledger, read_estimates(estimates))
    html = render_shown(run, everything, transcripts, estimates, checks, complete, said, beside)
    store.put(keys.REPORT, html.encode())
    return estimates


def _aside(made: Iterable[tuple[Tallies, Shown]], seen: list[Shown]) -> Iterator[Tallies]:
    """Yield the sums of each batch, and put what the report shows of it aside."""
    for tallies, one in made:
        seen.append(one)
        yield tallies


@dataclass(frozen=True)
class _Parts(Generic[T]):
    """What was made of a run's batches."""

    made: Iterator[T]
    unknown: Sequence[str]
    """The probes that have rows but no metrics."""


def _parts(store: Store, run: RunRecord, ledger: Ledger, work: Callable[[Rows], T], each: Each) -> _Parts[T]:
    found, whole = batches(ledger, run), occurring(ledger)
    probes, unknown = whole["probe"].drop_nulls().unique().sort().to_list(), unknown_probes(whole)
    known, labels = whole if len(found) > 1 else None, _labels(store)
    done = partial(_work, work, declared(probes), known, labels)
    return _Parts(each(store, run, found, done, needed_columns(probes, labelled=labels is not None)), unknown)


def _labels(store: Store) -> pl.DataFrame | None:
    """Return people's labels of the run's texts; None if there are none."""
    found = read_labels(store).select(LABELS.names())
    return None if found.is_empty() else found


def _work(
    work: Callable[[Rows], T],
    metrics: Declared,
    whole: pl.DataFrame | None,
    labels: pl.DataFrame | None,
    tables: Tables,
) -> T:
    """Work on one batch, in any process; that process must know the metrics that the driver knows."""
    check_declared(metrics)
    return work(replace(_rows(tables, whole), labels=labels))


def _tallies_and_shown(rows: Rows) -> tuple[Tallies, Shown]:
    return tallies_of(rows), shown({"items": rows.items, "chains": rows.chains, "observations": rows.observations})


def _write(store: Store, run: RunRecord, made: Iterable[Tallies], unknown: Sequence[str]) -> pa.Table:
    estimates = withhold(estimates_of(made, unknown, run.run_id), run.spec.min_agreement)
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
