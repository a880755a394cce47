"""What happens in a run besides the count of its work, as data: jobs that fail, engines that come and go.

The scheduler tells each event once, where it decides; logs and counts are made of them. Knows nothing about who reads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cotfaith.cluster.fleet.jobs import Job

Kind = Literal[
    "job_began",
    "job_done",
    "job_failed",
    "job_preempted",
    "job_retried",
    "job_halved",
    "job_reissued",
    "job_dropped",
    "item_quarantined",
    "engine_starting",
    "engine_up",
    "engine_lost",
    "engine_moved",
    "engine_ended",
    "engine_given_up",
    "draining",
    "stopping",
    "run_began",
    "run_ended",
    "note",
    "warning",
]
"""docs/observe.md says what each is."""
Level = Literal["info", "warning", "error"]
LEVELS: Mapping[str, Level] = {
    "job_failed": "warning",
    "job_preempted": "warning",
    "job_halved": "warning",
    "job_reissued": "warning",
    "job_dropped": "warning",
    "item_quarantined": "error",
    "engine_lost": "warning",
    "engine_moved": "warning",
    "engine_given_up": "error",
    "draining": "warning",
    "stopping": "warning",
    "warning": "warning",
}
"""Kind -> its level; others are "info"."""


@dataclass(frozen=True)
class RunEvent:
    """One thing that happened. What is not known, or has no meaning for its kind, is null."""

    kind: Kind
    job: Job | None = None
    model: str | None = None
    """Whose engine it is about; the job's model if there is a job."""
    engine: str | None = None
    """The actor's name, such as "m#3"."""
    node: str | None = None
    """Ray's id of the engine's node."""
    attempt: int | None = None
    """Failed attempts at the job so far, this one included."""
    charged: bool | None = None
    """Whether the attempt uses up one of ``resources.attempts``."""
    error: str | None = None
    """In one line; it can quote other programs."""
    seconds: float | None = None
    """How long it took: a job since it was given out, an engine since it was started."""
    text: str | None = None
    """For people."""

    @property
    def level(self) -> Level:
        """How serious it is."""
        return LEVELS.get(self.kind, "info")

    @property
    def about(self) -> str | None:
        """The model whose engine answers, or that it is about."""
        return self.job.model if self.job is not None else self.model


def job_ids(job: Job) -> dict[str, Any]:
    """Return what a log says about a job."""
    return {
        "model": job.model,
        "task": job.shard.task,
        "shard": job.shard.id,
        "reader": job.reader,
        "items": len(job.items),
        "first_item": job.items[0].id,
        "last_item": job.items[-1].id,
    }


Tell = Callable[[RunEvent], None]
"""Takes an event."""


def tell_nobody(event: RunEvent) -> None:
    """Take an event that nobody follows."""
