"""The processes that run jobs beside the engines, and what they are sent.

In: a job, as bytes without what it shares with others, and the engines of its roles. Out: its report. A process runs
one job at a time, and is used again: a job costs the driver one call. What jobs share (the spec, what is wanted of each
item) is put into the cluster once and kept by each process.
"""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.shard_task import ShardReport, run_job
from cotfaith.cluster.fleet.sight import Sight, check_sight
from cotfaith.workers.actor.remote import RemoteEngine
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.log_lines import log_to_stderr
from cotfaith.workers.plugins import import_plugins

_SHARED = ("spec", "wanted", "of_range")
"""The fields of a job that it shares with others."""


class Runner:
    """Runs jobs, in a process of its own."""

    def __init__(self, plugins: Sequence[str], sight: Sight | None) -> None:
        log_to_stderr()
        self.sight = sight
        self._shared: dict[Any, dict[str, Any]] = {}
        import_plugins(plugins)  # jobs may hold what is theirs

    def run(self, job: bytes, shared: list[Any], engines: Mapping[str, tuple[Any, Capabilities]]) -> ShardReport:
        """Do the job; ``shared`` holds the reference to what it shares with others."""
        if self.sight is not None:
            check_sight(self.sight)
        (reference,) = shared
        if reference not in self._shared:
            self._shared[reference] = ray.get(reference)
        whole: Job = replace(pickle.loads(job), **self._shared[reference])
        return run_job(whole, {role: RemoteEngine(*engine) for role, engine in engines.items()})


class Sent:
    """Makes what runners are sent; each set of shared fields is put into the cluster once."""

    def __init__(self) -> None:
        self._put: dict[Any, tuple[Any, Any]] = {}

    def shared(self, job: Job) -> Any:
        """Return the reference to what the job shares with others."""
        key = (id(job.spec), job.wanted, id(job.of_range))
        if key not in self._put:
            fields = {name: getattr(job, name) for name in _SHARED}
            self._put[key] = (ray.put(fields), fields)  # the fields are kept, so that no id is used again
        return self._put[key][0]


def packed(job: Job) -> bytes:
    """Return the job's bytes, without what it shares with others."""
    return pickle.dumps(replace(job, spec=None, wanted=None, of_range=None), pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]
