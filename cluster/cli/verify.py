"""``cotfaith verify``: every object of a run checked against its commit. Exit code 1 if something is damaged."""

from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import messages, note, print_json
from cotfaith.cluster.cli.options import AsJson, Details, RunPath


def verify(
    run_path: RunPath,
    orphans: Annotated[
        bool,
        typer.Option(
            "--delete-orphans", help="Delete the parts that no commit names. Nothing may be working on the run."
        ),
    ] = False,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Check every part of a run against its commit, and find what no commit names."""
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.verified import say_verified, verified_data
    from cotfaith.cluster.fleet.lease import hold_lease
    from cotfaith.cluster.storage.read import open_run_store
    from cotfaith.cluster.storage.verify import delete_orphans
    from cotfaith.cluster.storage.verify import verify as verified

    store, console = open_run_store(run_path), messages(as_json)
    found, deleted = verified(store, run_record(store)), 0
    say_verified(found, console, details)
    if orphans:
        with hold_lease(store, note):  # a driver's parts are orphans until it commits them
            deleted = delete_orphans(store, verified(store, run_record(store)))
        console.print(f"Deleted {deleted} orphans.")
    if as_json:
        print_json(verified_data(found) | {"deleted_orphans": deleted})
    say_what_is_missing(store, console)
    if not found.whole:
        raise typer.Exit(1)
