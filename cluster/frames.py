"""A run's tables from Python, lazily: ``cotfaith.read(RUN)``.

In: a run's folder or address. Out: polars ``LazyFrame`` objects with the columns of docs/results.md. Writes nothing,
and knows nothing about how rows are made.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from cotfaith.cluster.api import RunHandle
from cotfaith.cluster.storage.frames import rows_frame
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.made import made_table, way_to
from cotfaith.cluster.storage.read import load_run, open_run_store, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_objects import RunRecord


@dataclass(frozen=True)
class RunFrames:
    """A run's tables: the rows that were committed when it was opened, each read when it is asked for.

    ``docs/results.md`` lists the columns, with types, units and meanings.
    """

    path: str
    """The run's folder, or its address in object storage."""
    _store: Store = field(repr=False)
    _run: RunRecord = field(repr=False)
    _ledger: Ledger = field(repr=False)

    @property
    def run_id(self) -> str:
        """The run's id, as in the column ``run_id``."""
        return self._run.run_id

    @cached_property
    def items(self) -> pl.LazyFrame:
        """One row per model, task and item."""
        return self._rows("items")

    @cached_property
    def chains(self) -> pl.LazyFrame:
        """One row per model, task, item, strategy, variant and chain."""
        return self._rows("chains")

    @cached_property
    def observations(self) -> pl.LazyFrame:
        """One row per arm of a probe on a chain or an item."""
        return self._rows("observations")

    @property
    def estimates(self) -> pl.LazyFrame:
        """One row per model, task, strategy, variant and metric, with its interval.

        Raises:
            RunFolderError: none are made, or they are of another run.

        """
        return self._made("estimates")

    @property
    def comparisons(self) -> pl.LazyFrame:
        """One row per comparison of models; raises as ``estimates`` does."""
        return self._made("comparisons")

    @property
    def verdicts(self) -> pl.LazyFrame:
        """One row per model, task, strategy and channel; raises as ``estimates`` does."""
        return self._made("verdicts")

    def _rows(self, name: str) -> pl.LazyFrame:
        return rows_frame(self._store, self._run, self._ledger, name)

    def _made(self, name: str) -> pl.LazyFrame:
        """Return a table that a command makes of the rows."""
        table = made_table(self._store, self.run_id, name)
        if table is None:
            raise RunFolderError(f"{self.path}: this run has no {name} yet. {way_to(self._store, name)}")
        return pl.DataFrame(table).lazy()


def read(run: str | Path | RunHandle) -> RunFrames:
    """Open a run's tables.

    Args:
        run: the run's folder, ``s3://bucket/prefix`` (with the credentials of the environment, as for runs), or what
            ``cotfaith.run`` returned.

    Raises:
        SpecError: there is no run there.
        RunFolderError: an object among the commits is not one of this run.

    """
    path = str(run.path if isinstance(run, RunHandle) else run)
    store = open_run_store(path)
    record = load_run(store)
    assert record is not None, "the store was checked for a run"
    return RunFrames(path, store, record, read_ledger(store, record))
