"""``cotfaith verify``: every object of a run checked against its commit. Exit code 1 if something is damaged."""

from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import note, out
from cotfaith.cluster.cli.options import RunPath


def verify(
    run_path: RunPath,
    orphans: Annotated[
        bool,
        typer.Option(
            "--delete-orphans", help="Delete the parts that no commit names. Nothing may be working on the run."
        ),
    ] = False,
) -> None:
    """Check every part of a run against its commit, and find what no commit names."""
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.verified import say_verified
    from cotfaith.cluster.fleet.lease import hold_lease
    from cotfaith.cluster.storage.read import open_run_store
    from cotfaith.cluster.storage.verify import delete_orphans
    from cotfaith.cluster.storage.verify import verify as verified

    store = open_run_store(run_path)
    found = verified(store, run_record(store))
    say_verified(found, out)
    if orphans:
        with hold_lease(store, note):  # a driver's parts are orphans until it commits them
            deleted = delete_orphans(store, verified(store, run_record(store)))
        out.print(f"Deleted {deleted} orphans.")
    say_what_is_missing(store, out)
    if not found.whole:
        raise typer.Exit(1)
