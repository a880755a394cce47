"""Prints what a run lacks, and which items are quarantined."""

from typing import Any

from rich.console import Console

from cotfaith.cluster.cli.stored import run_record
from cotfaith.cluster.storage.completeness import Completeness, completeness
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.terminal import plain_text


def say_what_is_missing(store: Store, console: Console) -> None:
    """Read what is committed, and print what is missing, if anything is."""
    say_if_incomplete(completeness(store, run_record(store)), console)


def say_if_incomplete(complete: Completeness, console: Console) -> None:
    """Print what is missing, if anything is. Reasons can quote other programs: nothing in them is interpreted."""
    if not complete.whole:
        console.print(complete.headline(), markup=False, style="bold yellow")
    for line in complete.details():
        console.print(f"  {plain_text(line)}", markup=False, soft_wrap=True)


def complete_data(complete: Completeness) -> dict[str, Any]:
    """Return it as plain data, for JSON."""
    return {
        "shards_done": complete.done,
        "shards": complete.total,
        "missing": [{"model": model, "task": task, "shards": n} for (model, task), n in complete.missing.items()],
        "quarantined": [{"item": name, "reason": reason} for name, reason in complete.quarantined],
        "given_up": [{"model": name, "reason": reason} for name, reason in complete.given_up],
    }


def given_up_lines(complete: Completeness) -> list[str]:
    """Return what a run says last about the models that it gave up; nothing if it gave up none."""
    if not complete.given_up:
        return []
    names = ", ".join(name for name, _ in complete.given_up)
    reasons = [f"Given up: {reason}" for _, reason in complete.given_up]
    return [*reasons, f"Finished without {names}. Run it again to try what is missing."]
