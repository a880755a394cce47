"""``cotfaith show``: an item of a run, with its chains and arms."""

from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import out
from cotfaith.cluster.cli.options import RunPath


def show(run_path: RunPath, item_id: Annotated[str, typer.Argument(help="The item's id.")]) -> None:
    """Show one item with its chains and all arms."""
    from cotfaith.cluster.cli.item import show as show_item
    from cotfaith.cluster.storage.read import open_run_store, read_tables

    tables = read_tables(open_run_store(run_path))
    show_item(tables["items"], tables["chains"], tables["observations"], item_id, out)
