"""`cotfaith check-store`: whether a folder or bucket behaves as runs need it."""

from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import out
from cotfaith.cluster.terminal import plain_text


def check_store(
    where: Annotated[str, typer.Argument(help="A folder, or s3://bucket/prefix.", show_default=False)],
) -> None:
    """Try what runs need of a folder or bucket; exit code 1 if something is missing. What is written is removed."""
    from cotfaith.cluster.storage.conformance import CHECKS, PARTS_FROM_BYTES, Outcome, conform
    from cotfaith.cluster.storage.store import check_reachable, open_store

    store = open_store(where, PARTS_FROM_BYTES)
    check_reachable(store)
    failed: list[Outcome] = []
    for outcome in conform(store):
        out.print(plain_text(_line(outcome.name, outcome.seen)), markup=False, soft_wrap=True)
        failed += [outcome] if outcome.seen is not None else []
    out.print(plain_text(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed: {where}"), markup=False)
    if failed:
        raise typer.Exit(1)


def _line(name: str, seen: str | None) -> str:
    return f"passed  {name}" if seen is None else f"FAILED  {name}: {seen}"
