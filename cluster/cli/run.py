"""``cotfaith run``: do what is missing of a run, then aggregate and report.

Exit codes: 0 done, 1 finished with too many failed rows, 2 bad input.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from cotfaith.cluster.cli.consoles import err, out, say
from cotfaith.cluster.cli.options import Overrides, Plugins, SpecPath
from cotfaith.schemas import keys

if TYPE_CHECKING:
    from cotfaith.cluster.cli.failures import Failures
    from cotfaith.cluster.storage.store import Store


def run(
    spec_path: SpecPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Check every part first; do again what damaged ones held, and no more.")
    ] = False,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try the quarantined items again.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take the run over from another driver, which then stops.")
    ] = False,
) -> None:
    """Do the missing parts of a run, then aggregate and report. Run it again to resume."""
    from cotfaith.cluster.plan.spec_file import load_spec

    spec = load_spec(spec_path, overrides or [], plugins or [])
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.reporter import ConsoleReporter
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.summary import summarise
    from cotfaith.cluster.cli.tables import failed_text
    from cotfaith.cluster.fleet.run import Again, execute
    from cotfaith.cluster.report.results import write_results
    from cotfaith.cluster.storage.read import open_run_store

    quarantined = execute(spec, ConsoleReporter(out, err), Again(repair, retry_quarantined), take_over=take_over)
    store = open_run_store(spec.output.path)
    summarise(write_results(store, run_record(store)), out)
    say_what_is_missing(store, out)
    say(f"Report: {store.place(keys.REPORT)}")
    counted, limit = counted_failures(store), spec.output.max_failed_share
    for one in counted:
        if one.failed:
            by_status = failed_text(one.statuses)
            out.print(
                f"{one.failed} of {one.total} {one.rows} are not ok ({by_status}); 'Rows by status' in the report "
                "shows where.",
                soft_wrap=True,
            )
    for line in quarantined:
        say(f"Quarantined: {line}", err)
    if any(one.are_more_than(limit) for one in counted):
        rows = ", ".join(f"{one.failed} of {one.total} {one.rows}" for one in counted) or "0 of 0 rows"
        err.print(f"Finished with {rows} failed (limit {limit:.0%}).", soft_wrap=True)
        raise typer.Exit(1)


def counted_failures(store: "Store") -> "list[Failures]":
    """Return the rows of a run that are not ok, by who answered."""
    from cotfaith.cluster.cli.failures import failures
    from cotfaith.cluster.storage.read import read_ledger

    return failures(read_ledger(store))
