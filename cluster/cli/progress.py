"""A run's progress on the command line: a bar on a terminal, a line every 30 s elsewhere.

In: what the scheduler reports, and the run's forecast, which others feed. Out: phase, share of the work, requests, rows
that are not ok, and when it will be done. A stop is answered with what it loses. Nothing wraps at 80 columns.
"""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cotfaith.cluster.cli.phases import PHASES
from cotfaith.cluster.cli.tables import human_count
from cotfaith.cluster.durations import clock, duration
from cotfaith.cluster.fleet.forecast import Forecast, Outlook
from cotfaith.cluster.fleet.reporter import NoProgress, preemptions_text
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.errors import RunStoppedError
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import EngineUsage

_LINE_EVERY_S = 30.0
_LOOK_EVERY_S = 1.0
_WIDE = 110
"""Columns from which a terminal also shows tokens per second and preemptions."""


class RunProgress(NoProgress):
    """Counts shards, tokens and failed rows, and shows them with the forecast."""

    def __init__(self, console: Console, forecast: Forecast) -> None:
        self.console = console
        self.forecast = forecast
        self.done = 0
        """Items of finished shards."""
        self.failed = 0
        self.rows = 0
        self.preemptions = 0
        self._tokens: dict[str, int] = {}
        self._began = self._last_line = self._last_look = time.monotonic()
        self._outlook = forecast.outlook()
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0, **self._fields())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is, or print the last line; after a stop, say what is lost."""
        self._look()
        if self._bar is not None:
            self._update()
            self._bar.stop()
        elif self.done:
            self.console.print(self._line(), soft_wrap=True)
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt | RunStoppedError)
        if stopped and (lost := self.forecast.in_flight.loss()):
            self.say(lost)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        """Count one finished shard; ``engine`` names the actor whose totals are in ``report.usage``."""
        self.done += report.items
        self.rows += report.statuses.total()
        self.failed += report.statuses.total() - report.statuses[Status.OK.value]
        self.used(engine, report.usage)

    def used(self, engine: str, usage: EngineUsage) -> None:
        """Update the totals of the actor named ``engine``. Totals may arrive late; smaller ones are ignored."""
        tokens = usage.prompt_tokens + usage.generated_tokens + usage.running.generated_tokens
        self._tokens[engine] = max(self._tokens.get(engine, 0), tokens)

    def preempted(self, count: int) -> None:
        """Set the number of preemptions, which count as no failure."""
        self.preemptions = count

    def tick(self) -> None:
        """Update the bar, or print a line if there is no bar and the last line is 30 s old."""
        now = time.monotonic()
        if now - self._last_look >= _LOOK_EVERY_S:
            self._look()
        if self._bar is not None:
            self._update()
        elif now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            self.console.print(self._line(), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(plain_text(text), markup=False, highlight=False, soft_wrap=True)

    @property
    def tokens_per_s(self) -> float:
        """Prompt and generated tokens per second since the start; a shared prefix counts in every prompt."""
        return sum(self._tokens.values()) / max(time.monotonic() - self._began, 1e-9)

    @property
    def outlook(self) -> Outlook:
        """The last outlook."""
        return self._outlook

    def _look(self) -> None:
        self._last_look = time.monotonic()
        self._outlook = self.forecast.outlook()

    def _update(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._outlook.share, **self._fields())

    def _fields(self) -> dict[str, Any]:
        """Return the texts of the bar."""
        look = self._outlook
        wide = self.console.width >= _WIDE
        return {
            "phase": PHASES[look.phase],
            "percent": f"{look.share:.0%}",
            "requests": f"{human_count(look.requests_done)}/{human_count(look.requests)} requests",
            "more": f"{self.tokens_per_s:,.0f} tokens/s{self._preempted()}" if wide else "",
            "failed": f"{human_count(self.failed)} not ok",
            "eta": f"{clock(time.monotonic() - self.forecast.began_s)} ETA {clock(look.left_s)}",
        }

    def _line(self) -> str:
        look, spent_s = self._outlook, time.monotonic() - self.forecast.began_s
        eta = "unknown" if look.left_s is None else duration(look.left_s)
        return (
            f"{look.share:.0%} done, {PHASES[look.phase]}: {look.requests_done:,} of about {look.requests:,} requests, "
            f"{duration(spent_s)}, ETA {eta}, {self.tokens_per_s:,.0f} tokens/s, "
            f"{self.failed} of {self.rows} rows not ok{self._preempted()}"
        )

    def _preempted(self) -> str:
        return f", {preemptions_text(self.preemptions)}" if self.preemptions else ""


def _bar(console: Console) -> Progress:
    fields = ("percent", "requests", "more", "failed", "eta")
    return Progress(
        TextColumn("{task.fields[phase]}"),
        BarColumn(bar_width=None),
        *(TextColumn(f"{{task.fields[{name}]}}") for name in fields),
        console=console,
        expand=True,
    )
