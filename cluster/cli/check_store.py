"""`cotfaith check-store`: whether a folder or bucket behaves as runs need it."""

from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import messages, print_json, say
from cotfaith.cluster.cli.options import AsJson


def check_store(
    where: Annotated[str, typer.Argument(help="A folder, or s3://bucket/prefix.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Try what runs need of a folder or bucket; exit code 1 if something is missing. What is written is removed."""
    from cotfaith.cluster.storage.conformance import CHECKS, PARTS_FROM_BYTES, Outcome, conform
    from cotfaith.cluster.storage.store import check_reachable, open_store

    store, console = open_store(where, PARTS_FROM_BYTES), messages(as_json)
    check_reachable(store)
    found: list[Outcome] = []
    for outcome in conform(store):
        say(_line(outcome.name, outcome.seen), console)
        found.append(outcome)
    failed = [outcome for outcome in found if outcome.seen is not None]
    say(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed: {where}", console)
    if as_json:
        checks = [{"name": one.name, "passed": one.seen is None, "seen": one.seen} for one in found]
        print_json({"store": where, "passed": not failed, "checks": checks})
    if failed:
        raise typer.Exit(1)


def _line(name: str, seen: str | None) -> str:
    return f"passed  {name}" if seen is None else f"FAILED  {name}: {seen}"
