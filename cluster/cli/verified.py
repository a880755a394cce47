"""Prints what a verification found."""

from rich.console import Console

from cotfaith.cluster.storage.verify import Verification
from cotfaith.cluster.terminal import plain_text

MOST_LINES = 20
"""The most lines of one kind."""


def say_verified(found: Verification, console: Console) -> None:
    """Print counts, and a line for each thing that is damaged, up to ``MOST_LINES`` of a kind."""
    replaced = [one for one in found.damaged if not one.counts]
    console.print(
        f"{found.parts:,} parts ({found.bytes / 1e6:,.1f} MB) of {sum(1 for _ in found.ledger.commits()):,} commits: "
        f"{len(found.lost):,} damaged, {len(replaced):,} damaged that were replaced since, {len(found.commits):,} "
        f"damaged commits, {len(found.orphans):,} orphans.",
        soft_wrap=True,
    )
    _lines("Damaged", [one.problem for one in found.damaged if one.counts], console)
    _lines("Damaged commit", [problem for _, problem in found.commits], console)
    _lines("Damaged, but replaced since", [one.part for one in replaced], console)
    _lines("Orphan", list(found.orphans), console)
    if found.commits or found.lost:
        console.print("To do again what they held, and what rests on it: cotfaith run SPEC --repair")


def _lines(what: str, lines: list[str], console: Console) -> None:
    for line in lines[:MOST_LINES]:
        console.print(f"  {what}: {plain_text(line)}", markup=False, soft_wrap=True)
    if len(lines) > MOST_LINES:
        console.print(f"  ... and {len(lines) - MOST_LINES} more")
