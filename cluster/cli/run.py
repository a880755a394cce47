"""``cotfaith run``: do what is missing of a run, then aggregate and report.

Exit codes: 0 done, 1 finished with too many failed rows or without a model that was given up, 2 bad input, 3 stopped at
a limit. A signal that stops it leaves estimates and report as they were: whoever sends it does not wait for them.
"""

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cotfaith.cluster.cli.asked import asked_spec
from cotfaith.cluster.cli.consoles import MOST_NOTES, err, kept_for_json, messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, Details, Limit, Overrides, Plugins, SpecPath
from cotfaith.cluster.fleet.stopping import DRAIN_S, Stopping
from cotfaith.cluster.terminal import first_lines
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunStoppedError

if TYPE_CHECKING:
    from cotfaith.cluster.cli.failures import Failures
    from cotfaith.cluster.storage.ledger import Ledger


def run(
    spec_path: SpecPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    limit: Limit = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Check every part first; do again what damaged ones held, and no more.")
    ] = False,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try the quarantined items again.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take the run over from another driver, which then stops.")
    ] = False,
    max_hours: Annotated[
        float | None, typer.Option("--max-hours", metavar="H", help="Stop after H hours; what is done is reported.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            metavar="C",
            help="Stop before the run has cost more than C, earlier sessions included, by the spec's resources.prices.",
        ),
    ] = None,
    drain_seconds: Annotated[
        float,
        typer.Option(
            "--drain-seconds",
            metavar="S",
            help="At a limit, Ctrl-C or SIGTERM running shards get S seconds to finish. A second signal stops at once.",
        ),
    ] = DRAIN_S,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="FILE", help='Add a line of JSON for each event to FILE; "-": to stderr.'),
    ] = None,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Do the missing parts of a run, then aggregate and report. Run it again to resume."""
    stopping = Stopping(max_hours, max_cost, drain_seconds, by_signal=True)
    spec = asked_spec(spec_path, overrides, plugins, limit)
    from cotfaith.cluster.cli.endings import say_endings
    from cotfaith.cluster.cli.incomplete import complete_data, given_up_lines, say_if_incomplete
    from cotfaith.cluster.cli.opening import OpenedReporter
    from cotfaith.cluster.cli.stopped import STOPPED, resume_line
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.summary import headline_data, summarise
    from cotfaith.cluster.cli.view import View
    from cotfaith.cluster.fleet.batch_tasks import each_of
    from cotfaith.cluster.fleet.event_log import open_log
    from cotfaith.cluster.fleet.observers import Watching
    from cotfaith.cluster.fleet.run import Again, execute
    from cotfaith.cluster.plan.environment import output_line
    from cotfaith.cluster.report.depths import depth_data
    from cotfaith.cluster.report.results import write_results
    from cotfaith.cluster.stats.estimates import read_estimates
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.storage.read import open_run_store, read_ledger

    console, shown = messages(as_json), View(details)
    watching = Watching(None if log is None else open_log(log, sys.stderr), shlex.join(["cotfaith", *sys.argv[1:]]))
    reporter = OpenedReporter(console, err, [output_line(spec, overrides or [])])
    quarantined: list[str] = []
    stopped = None
    with kept_for_json(as_json):
        again = Again(repair, retry_quarantined)
        try:
            quarantined = execute(spec, reporter, again, take_over=take_over, stopping=stopping, watching=watching)
        except RunStoppedError as reached:
            stopped = str(reached)
            if stopping.signal is not None:
                say(f"The report of what is done: {shlex.join(['cotfaith', 'report', spec.output.path])}", err)
                raise typer.Exit(128 + stopping.signal) from None
    store = open_run_store(spec.output.path)
    record = run_record(store)
    with kept_for_json(as_json), err.status("aggregating, and writing the report"):
        rows, ledger = read_estimates(write_results(store, record, each_of(spec))), read_ledger(store, record)
    complete, counted = completeness(store, record, ledger), counted_failures(ledger)
    if as_json:
        about = {"run_id": record.run_id, "report": store.place(keys.REPORT), "estimates": headline_data(rows, shown)}
        about |= depth_data(record) | {"stopped": stopped, "rows": [one.as_data() for one in counted]}
        print_json(about | complete_data(complete))
    else:
        summarise(rows, out, shown, complete.missing, record.serial_depth)
    say_if_incomplete(complete, console)
    say(f"Report: {store.place(keys.REPORT)}", console)
    _say_failed(counted, console)
    say_endings(record, ledger, rows, console)
    for line in quarantined if details else first_lines(quarantined, "more: cotfaith run --details", MOST_NOTES):
        say(f"Quarantined: {line}", err)
    code = _end(counted, spec.output.max_failed_share, given_up_lines(complete))
    if stopped is not None:
        say(stopped, err)
        say(resume_line(sys.argv[1:], stopping), err)
        code = STOPPED
    if code:
        raise typer.Exit(code)


def _say_failed(counted: "list[Failures]", console: Console) -> None:
    from cotfaith.cluster.cli.tables import failed_text

    for one in counted:
        if one.failed:
            by_status = failed_text(one.statuses)
            console.print(
                f"{one.failed} of {one.total} {one.rows} are not ok ({by_status}); 'Rows by status' in the report "
                "shows where.",
                soft_wrap=True,
            )


def _end(counted: "list[Failures]", limit: float, broken: Sequence[str]) -> int:
    """Say if more than ``limit`` of the rows failed, or a model was given up; return the exit code, which is then 1."""
    too_many = any(one.are_more_than(limit) for one in counted)
    if too_many:
        rows = ", ".join(f"{one.failed} of {one.total} {one.rows}" for one in counted) or "0 of 0 rows"
        err.print(f"Finished with {rows} failed (limit {limit:.0%}).", soft_wrap=True)
    for line in broken:
        say(line, err)
    return int(too_many or bool(broken))


def counted_failures(ledger: "Ledger") -> "list[Failures]":
    """Return the rows of a run that are not ok, by who answered."""
    from cotfaith.cluster.cli.failures import failures

    return failures(ledger)
