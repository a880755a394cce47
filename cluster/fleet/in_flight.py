"""The jobs that are being done, and what a stop loses of them: the time since each one's last commit.

In: jobs as they begin and end; the run's store. Out: a sentence. Knows nothing about Ray.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cotfaith.cluster.durations import duration
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.storage.read import read_log
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import CotfaithError


@dataclass
class InFlight:
    """The jobs, and when each began."""

    clock: Callable[[], float] = time.time
    _began: dict[str, tuple[Job, float]] = field(default_factory=dict)
    """Job's name -> the job, and seconds since the epoch."""

    def began(self, job: Job) -> None:
        """Note that a job was given to an engine."""
        self._began[job.name] = (job, self.clock())

    def ended(self, job: Job) -> None:
        """Note that a job was done, or failed."""
        self._began.pop(job.name, None)

    def loss(self) -> str:
        """Return what is lost if all of them end now, in words; empty if none runs."""
        if not self._began:
            return ""
        count = len(self._began)
        shards = f"{count} shard{'s' * (count > 1)} in flight {'are' if count > 1 else 'is'} lost"
        try:
            lost_s = max(self.clock() - _last_commit(job, began) for job, began in self._began.values())
        except CotfaithError:
            return f"{shards}."
        return f"{shards}: about {duration(lost_s)} of work."


def _last_commit(job: Job, began_s: float) -> float:
    """Return when the job's shard was last committed to, or when the job began if that is later."""
    log = read_log(open_store(job.spec.output), job.shard)
    ends = [one.began + one.seconds for one in log.commits if one.began is not None and one.seconds is not None]
    return max([began_s, *ends])
