"""A run's reporter for the command line: lines on two consoles, and a bar.

A run's messages can quote other programs: control characters are removed, and markup is not interpreted.
"""

from dataclasses import dataclass

from rich.console import Console

from cotfaith.cluster.cli.progress import RunProgress
from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.terminal import plain_text


@dataclass(frozen=True)
class ConsoleReporter:
    """Prints progress messages on ``out``, all else on ``err``."""

    out: Console
    err: Console

    def say(self, text: str) -> None:
        """Print a line on ``out``."""
        self.out.print(plain_text(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line on ``err``."""
        self.err.print(plain_text(text), markup=False, soft_wrap=True)

    def progress(self, forecast: Forecast) -> RunProgress:
        """Return the bar (or the lines) of one stage."""
        return RunProgress(self.err, forecast)
