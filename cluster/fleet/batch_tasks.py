"""A run's batches as Ray tasks: each reads its own rows, where it runs, and only what is made of them comes back.

In: batches (``storage.batches``), and the work on one. Out: what the work makes of each, in the batches' order, so sums
of floats are those of one process. A task states its memory, by its batch's rows. One whose process or node is lost is
done again, and so is one whose store fails. Knows nothing about the work.
"""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from cotfaith.cluster.fleet.ray_session import ray_session
from cotfaith.cluster.storage.batches import Each, Items, Logs, Tables, apart, each_batch, n_observations, worked
from cotfaith.cluster.storage.ledger import ShardLog
from cotfaith.cluster.storage.parts import Columns
from cotfaith.cluster.storage.store import Store, absolute, open_store
from cotfaith.schemas.errors import CotfaithError, RunFailedError, StoreError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.spec import RunSpec

PATIENCE_S = 60.0
"""Seconds without a result, before a note says what is waited for."""
_LEAST_BYTES, _ROW_BYTES = 400 * 2**20, 1300
"""The memory of a task: of its process, and of an observation."""
_TRIES_AGAIN = 3
_LEAST_AHEAD = 16
"""Tasks that are submitted at once, at least; on more than half as many CPUs, two for each CPU."""
T = TypeVar("T")


@dataclass(frozen=True)
class Tasks:
    """Works on batches as ``each_batch`` does, on the Ray cluster at ``address``; a single batch in this process."""

    address: str
    path: str
    """The run's folder or address. All nodes must see it."""
    plugins: tuple[str, ...] = ()
    """What each process imports first, as for ``import_metrics``."""

    def __call__(
        self,
        store: Store,
        run: RunRecord,
        found: Sequence[Logs],
        work: Callable[[Tables], T],
        columns: Columns | None = None,
    ) -> Iterator[T]:
        """Yield what ``work`` makes of each batch.

        Raises:
            SpecError: there is no cluster at the address, a node does not see the run, or it lacks a plug-in.
            RunFolderError: as for ``read_tables``.

        """
        if len(found) < 2:
            yield from each_batch(store, run, found, work, columns)
            return
        from cotfaith.cluster.fleet.sight import folder_shown

        with ray_session(self.address), folder_shown(self.path, store) as sight:
            import ray

            shared: Any = ray.put(partial(_worked_there, absolute(self.path), run.run_id, work, columns))
            yield from apart(_in_tasks(shared, sight, self.plugins, found))


def each_on(address: str | None, path: str, plugins: Sequence[str] = ()) -> Each:
    """Return the way to work on a run's batches at ``address``; None: in this process."""
    return each_batch if address is None else Tasks(address, path, tuple(plugins))


def each_of(spec: RunSpec) -> Each:
    """Return the way to work on the batches of a run: on the cluster that its spec names, if any."""
    return each_on(spec.resources.ray_address, spec.output.path, spec.plugins)


def _in_tasks(shared: Any, sight: Any, plugins: tuple[str, ...], found: Sequence[Logs]) -> Iterator[Any]:
    """Yield the results in the order of ``found``; some tasks ahead of them are submitted."""
    import ray

    task: Any = ray.remote(_task)
    most_bytes, ahead, waiting = _largest_node(), _ahead(), deque[Any]()
    for logs in found:
        if len(waiting) == ahead:
            yield _result(waiting)
        options = task_options(n_observations(logs), most_bytes)
        own = [ShardLog(log.commits) for log in logs]  # without what is derived from them
        waiting.append(task.options(**options).remote(shared, sight, plugins, own))
    while waiting:
        yield _result(waiting)


def task_options(n_rows: int, most_bytes: int) -> Mapping[str, Any]:
    """Return the resources of a task on ``n_rows`` observations, where no node has more than ``most_bytes``."""
    return {
        "num_cpus": 1,
        "memory": min(_LEAST_BYTES + _ROW_BYTES * n_rows, most_bytes),
        "max_retries": _TRIES_AGAIN,
        "retry_exceptions": [StoreError],
        "scheduling_strategy": "SPREAD",
    }


def _largest_node() -> int:
    """Return the most memory that a node has for tasks, in bytes; a task that asks for more would wait for ever."""
    import ray

    cluster: Any = ray
    return int(max(node["Resources"].get("memory", 0) for node in cluster.nodes() if node["Alive"]))


def _ahead() -> int:
    import ray

    cluster: Any = ray
    return max(_LEAST_AHEAD, 2 * int(cluster.cluster_resources().get("CPU", 0)))


def _result(waiting: deque[Any]) -> Any:
    """Return the first task's result; what it raised is raised here."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    reference = waiting.popleft()
    if not ray.wait([reference], timeout=PATIENCE_S)[0]:
        warnings.warn(
            f"No batch of rows has come back for {PATIENCE_S:.0f} s; {len(waiting) + 1} wait or are worked on. Each "
            "needs a CPU of the cluster and its memory: `ray status` shows what is free.",
            stacklevel=2,
        )
    try:
        return ray.get(reference)
    except CotfaithError as error:
        raise getattr(error, "cause", error) from None  # the text of Ray's wrapper is a traceback
    except RayTaskError:
        raise
    except RayError as error:
        raise RunFailedError(
            f"A task that reads a batch of rows was lost {_TRIES_AGAIN + 1} times: {error} If a node has too little "
            "memory for it, use nodes with more, or aggregate without --ray."
        ) from error


def _task(work: Callable[[Logs], tuple[T, Items]], sight: Any, plugins: Sequence[str], logs: Logs) -> tuple[T, Items]:
    from cotfaith.cluster.fleet.sight import check_sight
    from cotfaith.cluster.stats.plugins import import_metrics

    check_sight(sight)
    import_metrics(plugins)
    return work(logs)


def _worked_there(
    path: str, run_id: str, work: Callable[[Tables], T], columns: Columns | None, logs: Logs
) -> tuple[T, Items]:
    return worked(open_store(path), run_id, work, columns, logs)
