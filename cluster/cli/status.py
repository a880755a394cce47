"""``cotfaith status``: what of a run is committed."""

from cotfaith.cluster.cli.consoles import out
from cotfaith.cluster.cli.options import RunPath


def status(run_path: RunPath) -> None:
    """Show which shards of a run are committed, and its rows by status."""
    from cotfaith.cluster.cli.incomplete import say_if_incomplete
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.tables import status_table
    from cotfaith.cluster.storage.completeness import compare
    from cotfaith.cluster.storage.read import open_run_store, read_ledger, read_quarantine

    store = open_run_store(run_path)
    record = run_record(store)
    ledger = read_ledger(store, record)
    out.print(status_table(record, ledger))
    say_if_incomplete(compare(record, ledger, read_quarantine(store)), out)
