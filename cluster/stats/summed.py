"""A run's sums: those that are kept are read, the others are made of rows, some items at a time, and kept.

In: the store of a run. Out: the sums of all its items, and what else is made of the same rows on the way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import polars as pl

from cotfaith.cluster.labelling.read import read_labels
from cotfaith.cluster.stats.metrics import needed_columns, unknown_probes
from cotfaith.cluster.stats.metrics.lib.judgements import LABELS
from cotfaith.cluster.stats.near_ties import Tallies
from cotfaith.cluster.stats.run_sums import Made, Making, RunSums
from cotfaith.cluster.storage.batches import Each, Tables, batches, check_ranges, occurring
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.run_objects import RunRecord

T = TypeVar("T")


@dataclass(frozen=True)
class Summed(Generic[T]):
    """The sums of a run."""

    tallies: Iterator[Tallies]
    """Those of each range of items; to be read once."""
    unknown: Sequence[str]
    """The probes that have rows but no metrics."""
    seen: Sequence[T]
    """What ``show`` made of each batch of rows."""


def summed(
    store: Store, run: RunRecord, each: Each, show: Callable[[Tables], T] | None = None, ledger: Ledger | None = None
) -> Summed[T]:
    """Return the sums of a run.

    Args:
        store: where the run is.
        run: its record.
        each: where the rows are worked on.
        show: made of all rows, if something is; without it only rows are read whose sums are not kept.
        ledger: the run's commits, if they were read.

    """
    sums, unknown = _sums(store, run, read_ledger(store, run) if ledger is None else ledger)
    made, seen = Made(), list[T]()
    for own, one in _worked(sums, run, each, sums.missing(), show):
        made |= own
        seen += [] if one is None else [one]

    def again(numbers: Sequence[int]) -> Made:
        return next(iter(_worked(sums, run, each, numbers, None)))[0]

    return Summed(sums.tallies(made, again), unknown, seen)


def _sums(store: Store, run: RunRecord, ledger: Ledger) -> tuple[RunSums, Sequence[str]]:
    """Return the run's sums, and the probes without metrics; metrics that packages offer are loaded."""
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
    sums: RunSums, run: RunRecord, each: Each, missing: Sequence[int], show: Callable[[Tables], T] | None
) -> Iterator[tuple[Made, T | None]]:
    """Yield sums that are ``missing``, some at a time, and keep them; with ``show``, also what it makes of all rows."""
    ledger = sums.ledger if show else sums.ledger_of(missing)
    if not (missing or show):
        return
    work = partial(_work, sums.making(missing), show)
    columns = needed_columns(sums.probes, labelled=sums.labels is not None)
    for made, one in each(sums.store, run, batches(ledger, run), work, columns):
        sums.keep(made)
        yield made, one


def _work(making: Making, show: Callable[[Tables], T] | None, tables: Tables) -> tuple[Made, T | None]:
    """Work on one batch, in any process."""
    return making(tables), None if show is None else show(tables)
