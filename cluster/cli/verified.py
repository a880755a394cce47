"""Prints what a verification found."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from cotfaith.cluster.cli.consoles import say
from cotfaith.cluster.storage.verify import Verification
from cotfaith.cluster.terminal import first_lines

MOST_LINES = 8
"""The most lines of one kind, unless all are asked for."""


def say_verified(found: Verification, console: Console, in_full: bool = False) -> None:
    """Print counts, and a line for each thing that is damaged, up to ``MOST_LINES`` of a kind."""
    replaced = [one for one in found.damaged if not one.counts]
    console.print(
        f"{found.parts:,} parts ({found.bytes / 1e6:,.1f} MB) of {sum(1 for _ in found.ledger.commits()):,} commits: "
        f"{len(found.lost):,} damaged, {len(replaced):,} damaged that were replaced since, {len(found.commits):,} "
        f"damaged commits, {len(found.orphans):,} orphans.",
        soft_wrap=True,
    )
    most = None if in_full else MOST_LINES
    _lines("Damaged", [one.problem for one in found.damaged if one.counts], console, most)
    _lines("Damaged commit", [problem for _, problem in found.commits], console, most)
    _lines("Damaged, but replaced since", [one.part for one in replaced], console, most)
    _lines("Orphan", found.orphans, console, most)
    if found.commits or found.lost:
        console.print("To do again what they held, and what rests on it: cotfaith run SPEC --repair")


def verified_data(found: Verification) -> dict[str, Any]:
    """Return it as plain data, for JSON."""
    parts = [{"part": one.part, "commit": one.commit, "problem": one.problem} for one in found.damaged if one.counts]
    return {
        "whole": found.whole,
        "parts": found.parts,
        "bytes": found.bytes,
        "commits": sum(1 for _ in found.ledger.commits()),
        "damaged": parts,
        "damaged_commits": [{"commit": key, "problem": problem} for key, problem in found.commits],
        "replaced": [one.part for one in found.damaged if not one.counts],
        "orphans": list(found.orphans),
    }


def _lines(what: str, lines: Sequence[str], console: Console, most: int | None) -> None:
    named = [f"{what}: {line}" for line in lines]
    for line in named if most is None else first_lines(named, "more: --details", most):
        say(f"  {line}", console)
