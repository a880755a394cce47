"""A run from Python: do the missing work, write the results, and return a handle to them.

In: a spec. Out: a ``RunHandle``, which reads the run's folder. Prints nothing; knows nothing about the command line.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cotfaith.cluster.fleet.stopping import DRAIN_S, Stopping
from cotfaith.cluster.plan.spec_file import check_spec, load_spec, with_plugins
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import Store, absolute, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError, RunStoppedError, SpecError
from cotfaith.schemas.parquet import read_parquet
from cotfaith.schemas.spec import RunSpec


@dataclass(frozen=True)
class RunHandle:
    """The results of a run. Each property reads the run's folder again."""

    path: Path | str
    """The run's folder; its address if it is in object storage."""
    quarantined: tuple[str, ...] = ()
    """Items that failed every attempt of this call, each with its reason; their rows say so."""
    stopped: str | None = None
    """Why this call ended before all was done; null: no limit ended it."""

    @property
    def estimates(self) -> pa.Table:
        """The estimates as an Arrow table: one row per model, task, strategy and metric, with its interval."""
        return read_parquet(self._object(keys.ESTIMATES))

    @property
    def comparisons(self) -> pa.Table:
        """Comparisons of models as an Arrow table: one row per pair or family of models, task and metric."""
        return read_parquet(self._object(keys.COMPARISONS))

    @property
    def report(self) -> Path | str:
        """Where the report is, an HTML page."""
        place = self._store().place(keys.REPORT)
        return Path(place) if isinstance(self.path, Path) else place

    @property
    def statuses(self) -> Counter[str]:
        """Committed rows of chains and observations, by status."""
        return read_ledger(self._store()).statuses()

    @property
    def complete(self) -> bool:
        """Whether every shard is done; if not, the estimates rest on the committed shards."""
        run = load_run(self._store())
        return run is not None and completeness(self._store(), run).whole

    @property
    def missing_models(self) -> dict[str, str]:
        """Name -> reason, for each model whose engine could not be made or kept up, and for which rows are missing."""
        run = load_run(self._store())
        return {} if run is None else dict(completeness(self._store(), run).given_up)

    def _store(self) -> Store:
        return open_store(str(self.path))

    def _object(self, key: str) -> bytes:
        data = self._store().get(key)
        if data is None:
            raise RunFolderError(f"{self._store().place(key)}: this is missing. Run the spec again to write it.")
        return data


def run(
    spec: RunSpec | Mapping[str, Any] | str | Path,
    *,
    plugins: Sequence[str] = (),
    out: str | Path | None = None,
    take_over: bool = False,
    max_hours: float | None = None,
    max_cost: float | None = None,
    drain_seconds: float = DRAIN_S,
) -> RunHandle:
    """Do the missing work of a run, write its estimates and report, and return a handle to them.

    Failed rows, quarantined items, models that are given up while others go on, and limits that are reached raise no
    error: see ``statuses``, ``complete``, ``quarantined``, ``missing_models`` and ``stopped``.

    Args:
        spec: a spec, a dictionary of its keys, or the path of a YAML file.
        plugins: modules that register probes and the like, besides those that the spec names. Ray's processes import
            them too, so they must be importable: Ray's processes do not find a probe defined in the running script.
        out: the run's folder, in place of the spec's ``output.path``.
        take_over: whether to take the run over from another driver, which then stops.
        max_hours: the most hours on the clock that the work of this call may take; None: no limit.
        max_cost: the most that the run may cost by the spec's ``resources.prices``, earlier calls included; None: no
            limit.
        drain_seconds: the last seconds before a limit, in which no work begins and running shards may finish.

    Raises:
        InputError: the spec is wrong, and nothing was loaded or written; or another driver works on the run.
        CotfaithError: no model's engine could be kept running, the store failed, or another driver took the run over;
            committed results are kept.

    """
    from cotfaith.cluster.fleet.batch_tasks import each_of
    from cotfaith.cluster.fleet.run import execute
    from cotfaith.cluster.report.results import write_results

    named = [plugins] if isinstance(plugins, str) else plugins
    stopping, stopped, quarantined = Stopping(max_hours, max_cost, drain_seconds), None, list[str]()
    asked = _placed(_spec(spec, named), out)
    try:
        quarantined = execute(asked, take_over=take_over, stopping=stopping)
    except RunStoppedError as reached:
        stopped = str(reached)
    store = open_store(asked.output)
    record = load_run(store)
    assert record is not None, "the run was just begun"
    write_results(store, record, each_of(asked))
    where = absolute(asked.output.path)
    return RunHandle(where if "://" in where else Path(where), tuple(quarantined), stopped)


def _spec(spec: RunSpec | Mapping[str, Any] | str | Path, plugins: Sequence[str]) -> RunSpec:
    if isinstance(spec, RunSpec):
        return with_plugins(spec, plugins)
    if isinstance(spec, Mapping):
        return check_spec(dict(spec), "spec", plugins)
    if isinstance(spec, str | Path):
        return load_spec(spec, (), plugins)
    raise SpecError(f"spec: expected a RunSpec, a mapping or the path of a YAML file, got a {type(spec).__name__}.")


def _placed(spec: RunSpec, out: str | Path | None) -> RunSpec:
    if out is None:
        return spec
    return spec.model_copy(update={"output": spec.output.model_copy(update={"path": str(out)})})
