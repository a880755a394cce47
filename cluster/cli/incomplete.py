"""What of a run is missing, said on the command line."""

from rich.console import Console

from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.cluster.terminal import plain_text


def say_if_incomplete(complete: Completeness, console: Console) -> None:
    """Print what is missing, if anything is. Reasons are other programs' words: no markup, no control characters."""
    if complete.whole:
        return
    console.print(complete.headline(), markup=False, style="bold yellow")
    for line in complete.details():
        console.print(f"  {plain_text(line)}", markup=False, soft_wrap=True)
