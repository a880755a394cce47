"""Prints what a user can do about what went wrong in a run."""

from rich.console import Console

from cotfaith.cluster.report.endings import endings
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.run_objects import RunRecord


def say_endings(run: RunRecord, ledger: Ledger, estimates: list[Estimate], console: Console) -> None:
    """Print the sentences. They name models and tasks: nothing in them is interpreted."""
    for line in endings(run, ledger, estimates):
        console.print(plain_text(line), markup=False)
