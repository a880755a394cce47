"""A run's log for machines: a line of JSON for each event, with the ids of run, shard, items, engine and node.

In: what the scheduler tells. Out: lines in a file, or on standard error. A file that cannot be written any more ends
the log and not the run. docs/observe.md lists events and fields. Knows nothing about jobs' contents: neither prompts
nor models' texts are in it, but errors can quote them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from cotfaith.cluster.fleet.events import RunEvent, job_ids
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.reporter import NoProgress
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.schemas.errors import SpecError
from cotfaith.workers.log_lines import log_line


class EventLog(NoProgress):
    """Writes the log of one run."""

    def __init__(self, file: TextIO) -> None:
        self._file: TextIO | None = file
        self._run_id = ""

    def begin(self, run_id: str) -> None:
        """Take the id of the run that follows."""
        self._run_id = run_id
        self.happened(RunEvent("run_began"))

    def began(self, job: Job, engine: str = "", node: str | None = None) -> None:  # noqa: D102
        self.happened(RunEvent("job_began", job=job, engine=engine or None, node=node))

    def finished(self, model: str, report: ShardReport, engine: str) -> None:  # noqa: D102
        self._write(
            "info",
            "job_done",
            {
                "model": model,
                "task": report.shard.split("/")[1],
                "shard": report.shard,
                "reader": report.reader,
                "items": report.items,
                "engine": engine,
                "seconds": round(report.seconds, 3),
                "statuses": dict(report.statuses),
            },
        )

    def happened(self, event: RunEvent) -> None:  # noqa: D102
        self._write(event.level, event.kind, fields(event))

    def say(self, text: str) -> None:  # noqa: D102
        self.happened(RunEvent("note", text=text))

    def _write(self, level: str, kind: str, found: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(log_line(level, kind, {"run_id": self._run_id, **found}) + "\n")
            self._file.flush()
        except (OSError, ValueError):  # the disk is full, or the stream was closed
            self._file = None


def fields(event: RunEvent) -> dict[str, Any]:
    """Return an event's fields as plain data; those that are not known are null."""
    found: dict[str, Any] = {"model": event.about}
    if (job := event.job) is not None:
        found |= job_ids(job)
    return found | {
        "engine": event.engine,
        "node": event.node,
        "attempt": event.attempt,
        "charged": event.charged,
        "error": event.error,
        "seconds": None if event.seconds is None else round(event.seconds, 3),
        "text": event.text,
    }


def open_log(where: str, stderr: TextIO) -> EventLog:
    """Return the log in the file, which lines are added to; "-": on ``stderr``.

    Raises:
        SpecError: the file cannot be opened.

    """
    if where == "-":
        return EventLog(stderr)
    try:
        return EventLog(Path(where).expanduser().open("a", encoding="ascii"))
    except OSError as error:
        raise SpecError(f"--log: {where} cannot be written: {error.strerror or error}. Name another file.") from None
