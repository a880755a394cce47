"""What a run tells whoever started it: lines of text, and its progress.

``execute`` takes a ``Reporter``; ``SILENT`` shows nothing. A line may hold other programs' words, control characters
among them: a reporter that shows lines to people makes them safe. Knows nothing about terminals.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.workers.engines.protocol import EngineUsage


class Progress(Protocol):
    """Follows the jobs of one stage of a run."""

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        """Count one finished shard; ``engine`` names the actor whose totals ``report.usage`` gives."""
        ...

    def used(self, engine: str, usage: EngineUsage) -> None:
        """Take the totals of the actor that is named ``engine``; they may come late, and never shrink."""
        ...

    def tick(self) -> None:
        """Bring what is shown up to date; called about once a second."""
        ...

    def say(self, text: str) -> None:
        """Take a line about what has just happened, such as a retry."""
        ...


class Reporter(Protocol):
    """Takes what a run says."""

    def say(self, text: str) -> None:
        """Take a line about how far the run is."""
        ...

    def warn(self, text: str) -> None:
        """Take a line that the user should know of."""
        ...

    def progress(self, total_items: int) -> AbstractContextManager[Progress]:
        """Return what follows the jobs on ``total_items`` items; entered before the first of them, left at the end."""
        ...


class _Silent:
    """A reporter, and its progress, that show nothing."""

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    def progress(self, total_items: int) -> AbstractContextManager[Progress]:
        return nullcontext(self)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        pass

    def used(self, engine: str, usage: EngineUsage) -> None:
        pass

    def tick(self) -> None:
        pass


SILENT = _Silent()
"""Shows nothing."""
