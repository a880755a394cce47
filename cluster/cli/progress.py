"""A run's progress on the command line: a bar on a terminal, a line every 30 s elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cotfaith.cluster.fleet.reporter import preemptions_text
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import EngineUsage

_LINE_EVERY_S = 30.0


class RunProgress:
    """Counts items, tokens and failed rows, and shows them."""

    def __init__(self, console: Console, total_items: int) -> None:
        self.console = console
        self.total = total_items
        self.done = 0
        self.failed = 0
        self.rows = 0
        self.preemptions = 0
        self._tokens: dict[str, int] = {}
        self._began = self._last_line = time.monotonic()
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("starting", total=self.total, rate="-", failed=0, preempted="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is, or print the last line."""
        if self._bar is not None:
            self._bar.stop()
        elif self.done:
            self.console.print(self._line(), soft_wrap=True)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        """Count one finished shard; ``engine`` names the actor whose totals are in ``report.usage``."""
        self.done += report.items
        self.rows += report.statuses.total()
        self.failed += report.statuses.total() - report.statuses[Status.OK.value]
        self.used(engine, report.usage)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=model)

    def used(self, engine: str, usage: EngineUsage) -> None:
        """Update the totals of the actor named ``engine``. Totals may arrive late; smaller ones are ignored."""
        self._tokens[engine] = max(self._tokens.get(engine, 0), usage.prompt_tokens + usage.generated_tokens)

    def preempted(self, count: int) -> None:
        """Set the number of preemptions, which count as no failure."""
        self.preemptions = count

    def tick(self) -> None:
        """Update the bar, or print a line if there is no bar and the last line is 30 s old."""
        if self._bar is not None and self._task is not None:
            rate = f"{self.tokens_per_s:,.0f}"
            self._bar.update(
                self._task, completed=self.done, rate=rate, failed=self.failed, preempted=self._preempted()
            )
        elif time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            self.console.print(self._line(), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(plain_text(text), markup=False, highlight=False, soft_wrap=True)

    @property
    def tokens_per_s(self) -> float:
        """Prompt and generated tokens per second since the start; a shared prefix counts in every prompt."""
        return sum(self._tokens.values()) / max(time.monotonic() - self._began, 1e-9)

    def _line(self) -> str:
        spent = time.monotonic() - self._began
        eta = f"{spent / self.done * (self.total - self.done):.0f} s" if self.done else "unknown"
        return (
            f"{self.done}/{self.total} items, {spent:.0f} s, {self.tokens_per_s:,.0f} tokens/s, "
            f"ETA {eta}, {self.failed} of {self.rows} rows not ok{self._preempted()}"
        )

    def _preempted(self) -> str:
        return f", {preemptions_text(self.preemptions)}" if self.preemptions else ""


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("items  {task.fields[rate]} tokens/s  {task.fields[failed]} rows not ok{task.fields[preempted]} "),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=console,
    )
