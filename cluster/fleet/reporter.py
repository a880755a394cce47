"""The interface to which a run reports: lines of text, and its progress.

``execute`` takes a ``Reporter``; ``SILENT`` shows nothing. A line can quote other programs, control characters
included: a reporter that shows lines to people makes them safe. Knows nothing about terminals.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.workers.engines.protocol import EngineUsage


class Progress(Protocol):
    """Follows the jobs of one stage of a run."""

    def began(self, job: Job) -> None:
        """Take a job that is given to an engine."""
        ...

    def ended(self, job: Job) -> None:
        """Take a job that is done, or failed and will be given to another."""
        ...

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        """Count one finished shard; ``engine`` names the actor whose totals are in ``report.usage``."""
        ...

    def used(self, engine: str, usage: EngineUsage) -> None:
        """Update the totals of the actor named ``engine``. Totals may arrive late; smaller ones are ignored."""
        ...

    def preempted(self, count: int) -> None:
        """Take the number of engines and tasks that were lost with their nodes so far."""
        ...

    def tick(self) -> None:
        """Update the display; called about once a second."""
        ...

    def say(self, text: str) -> None:
        """Take a line about what has just happened, such as a retry."""
        ...


class Reporter(Protocol):
    """Takes a run's messages."""

    def say(self, text: str) -> None:
        """Take a line about the run's progress."""
        ...

    def warn(self, text: str) -> None:
        """Take a warning or note for the user."""
        ...

    def progress(self, forecast: Forecast) -> AbstractContextManager[Progress]:
        """Return a context for the jobs on ``forecast.items`` items: entered before the first job, left after the last.

        A run has one forecast, also for readers' jobs, which are a stage of their own.
        """
        ...


class _Silent:
    """A reporter that is its own progress, and shows nothing."""

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    def progress(self, forecast: Forecast) -> AbstractContextManager[Progress]:
        return nullcontext(self)

    def began(self, job: Job) -> None:
        pass

    def ended(self, job: Job) -> None:
        pass

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        pass

    def used(self, engine: str, usage: EngineUsage) -> None:
        pass

    def preempted(self, count: int) -> None:
        pass

    def tick(self) -> None:
        pass


def preemptions_text(count: int) -> str:
    """Return the count in words."""
    return f"{count} preemption{'s' if count > 1 else ''}"


SILENT = _Silent()
"""Shows nothing."""
