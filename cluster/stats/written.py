"""A run's estimates and comparisons, made of its sums and written into its folder. Older ones are overwritten.

In: the store of a run. Out: ``Written``. Knows nothing about verdicts and pages.
"""

import io
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.stats.aggregate import added, estimates_of
from cotfaith.cluster.stats.conditioned.comparisons import comparisons_of
from cotfaith.cluster.stats.summed import Summed, summed
from cotfaith.cluster.stats.tally import Tally
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import Each, each_batch
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord


@dataclass(frozen=True)
class Written:
    """What was made of a run's sums."""

    total: Tally
    """The sums of all items."""
    estimates: pa.Table
    comparisons: pa.Table


def write_estimates(store: Store, run: RunRecord, each: Each = each_batch) -> pa.Table:
    """Compute, write and return the estimates; ``each``: where the rows are worked on whose sums are not kept."""
    return write_sums(store, run, each).estimates


def write_sums(store: Store, run: RunRecord, each: Each = each_batch) -> Written:
    """Write the estimates as ``write_estimates`` does; return also the sums that they rest on."""
    made: Summed[None] = summed(store, run, each)
    return write_made(store, run, made)


def write_made(store: Store, run: RunRecord, made: Summed[Any]) -> Written:
    """Write the estimates and the comparisons of sums that are read."""
    total = added(made.tallies)
    estimates = withhold(estimates_of([total], made.unknown, run.run_id), run.spec.min_agreement)
    comparisons = comparisons_of(total[0].kept, estimates, run.run_id, run.spec.models)
    put_table(store, keys.ESTIMATES, estimates)
    put_table(store, keys.COMPARISONS, comparisons)
    return Written(total[0], estimates, comparisons)


def put_table(store: Store, key: str, table: pa.Table) -> None:
    """Write a table as Parquet."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    store.put(key, buffer.getvalue())
