"""A reporter that opens a run with one line, once the run can begin: a wrong spec prints only its error."""

from dataclasses import dataclass, field

from cotfaith.cluster.cli.reporter import ConsoleReporter


@dataclass(frozen=True)
class OpenedReporter(ConsoleReporter):
    """Prints its lines on ``out`` before the first message."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Print a line on ``out``."""
        self._open()
        super().say(text)

    def warn(self, text: str) -> None:
        """Print a line on ``err``."""
        self._open()
        super().warn(text)

    def _open(self) -> None:
        while self.lines:
            super().say(self.lines.pop(0))
