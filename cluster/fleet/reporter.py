"""The interface to which a run reports: lines of text, and its progress.

``execute`` takes a ``Reporter``; ``SILENT`` shows nothing. A line can quote other programs, control characters
included: a reporter that shows lines to people makes them safe. Knows nothing about terminals.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

from cotfaith.cluster.fleet.events import RunEvent
from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.workers.engines.protocol import EngineUsage


class EngineCount(NamedTuple):
    """The engines of one model."""

    up: int
    """Those whose weights are loaded."""
    asked: int


class Progress(Protocol):
    """Follows the jobs of one stage of a run. All calls come from the scheduler's thread."""

    def began(self, job: Job, engine: str = "", node: str | None = None) -> None:
        """Take a job that is given to the engine of this name, on this node if that is known."""
        ...

    def ended(self, job: Job, engine: str = "") -> None:
        """Take a job that is done on this engine, or failed and will be given to another."""
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

    def happened(self, event: RunEvent) -> None:
        """Take something that has just happened to a job, an engine or the run."""
        ...

    def waiting(self, jobs: Mapping[str, int]) -> None:
        """Take the number of jobs that wait, by the model that answers; called about once a second."""
        ...

    def engines(self, counts: Mapping[str, EngineCount]) -> None:
        """Take the number of engines by model; called about once a second."""
        ...

    def spent(self, cost: float, currency: str) -> None:
        """Take what the engines have cost so far; called about once a second if the spec has prices."""
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


class NoProgress:
    """A progress that does nothing with what it is told: a base for those that follow only some of it."""

    def began(self, job: Job, engine: str = "", node: str | None = None) -> None:
        """Do nothing, as all others here."""

    def ended(self, job: Job, engine: str = "") -> None:  # noqa: D102
        pass

    def finished(self, model: str, report: ShardReport, engine: str) -> None:  # noqa: D102
        pass

    def used(self, engine: str, usage: EngineUsage) -> None:  # noqa: D102
        pass

    def preempted(self, count: int) -> None:  # noqa: D102
        pass

    def happened(self, event: RunEvent) -> None:  # noqa: D102
        pass

    def waiting(self, jobs: Mapping[str, int]) -> None:  # noqa: D102
        pass

    def engines(self, counts: Mapping[str, EngineCount]) -> None:  # noqa: D102
        pass

    def spent(self, cost: float, currency: str) -> None:  # noqa: D102
        pass

    def tick(self) -> None:  # noqa: D102
        pass

    def say(self, text: str) -> None:  # noqa: D102
        pass


class _Silent(NoProgress):
    """A reporter that is its own progress, and shows nothing."""

    def warn(self, text: str) -> None:
        pass

    def progress(self, forecast: Forecast) -> AbstractContextManager[Progress]:
        return nullcontext(self)


def preemptions_text(count: int) -> str:
    """Return the count in words."""
    return f"{count} preemption{'s' if count > 1 else ''}"


SILENT = _Silent()
"""Shows nothing."""
