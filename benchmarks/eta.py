"""The error of a run's ETA after 10%, 25% and 50% of its time: does a spec in an empty folder, and compares.

    python benchmarks/eta.py examples/organisms.yaml --set tasks.0.n=20

Time counts from the first work of an engine to the last shard. Error: the seconds forecast, over the seconds that were
left, less 1. Also prints what the bar showed. Aggregating and the report come after, and are not in the ETA.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from cotfaith.cluster.cli.progress import RunProgress
from cotfaith.cluster.cli.reporter import ConsoleReporter
from cotfaith.cluster.fleet.forecast import Forecast, Outlook
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import load_spec

AT = (0.1, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Recording(ConsoleReporter):
    """A reporter that keeps each outlook with its time."""

    seen: list[tuple[float, Outlook]] = field(default_factory=list)

    def progress(self, forecast: Forecast) -> RunProgress:
        """Return a bar that keeps what it shows."""
        return _Kept(self.err, forecast, self.seen)


class _Kept(RunProgress):
    def __init__(self, console: Console, forecast: Forecast, seen: list[tuple[float, Outlook]]) -> None:
        super().__init__(console, forecast)
        self.seen = seen

    def _look(self) -> None:
        super()._look()
        if hasattr(self, "seen"):
            self.seen.append((time.monotonic(), self.outlook))


def main() -> None:
    """Do the run and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="Write every outlook here.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spec = load_spec(options.spec, [*options.set, f"output.path={folder}/run"])
        console = Console(stderr=True)
        reporter = Recording(console, console)
        began = time.monotonic()
        execute(spec, reporter)
    for line in errors(began, reporter.seen):
        print(line)
    if options.json:
        options.json.write_text(json.dumps([(at - began, vars(look)) for at, look in reporter.seen], indent=1))


def errors(began: float, seen: list[tuple[float, Outlook]]) -> list[str]:
    """Return a line for each moment."""
    start, end = next(at for at, look in seen if look.left_s is not None), seen[-1][0]
    lines = [f"{end - start:.0f} s of work, after {start - began:.0f} s of loading"]
    for share in AT:
        at, look = next((at, look) for at, look in seen if at - start >= share * (end - start))
        left = end - at
        said = "unknown" if look.left_s is None else f"{look.left_s:.0f} s ({look.left_s / left - 1:+.0%})"
        lines.append(
            f"after {share:.0%}: {left:.0f} s left, ETA {said}; shown {look.share:.0%}, {look.phase}, "
            f"{look.requests_done:,} of about {look.requests:,} requests"
        )
    return lines


if __name__ == "__main__":
    main()
