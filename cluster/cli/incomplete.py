"""Prints what a run lacks, and which items are quarantined."""

from rich.console import Console

from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.cluster.terminal import plain_text


def say_if_incomplete(complete: Completeness, console: Console) -> None:
    """Print what is missing, if anything is. Reasons can quote other programs: nothing in them is interpreted."""
    if not complete.whole:
        console.print(complete.headline(), markup=False, style="bold yellow")
    for line in complete.details():
        console.print(f"  {plain_text(line)}", markup=False, soft_wrap=True)
