"""The command line. Exit codes: 0 done, 1 finished with too many failed rows, 2 bad input, 130 interrupted."""

import io
import json
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import typer
from rich.console import Console

from cotfaith import __version__
from cotfaith.cluster.cli import check_store as check_store_cli
from cotfaith.cluster.cli import import_chains as import_cli
from cotfaith.cluster.cli import listing as listing_cli
from cotfaith.cluster.cli import organisms as organisms_cli
from cotfaith.cluster.cli import validate as validate_cli
from cotfaith.cluster.cli import watch as watch_cli
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas import keys
from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.spec import RunSpec

if TYPE_CHECKING:
    from cotfaith.cluster.cli.failures import Failures
    from cotfaith.cluster.storage.store import Store
    from cotfaith.schemas.run_objects import RunRecord

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure whether a language model's chain of thought can be trusted, per model and per task.",
)
app.add_typer(organisms_cli.app, name="organisms")
app.command()(validate_cli.validate)
app.command("import")(import_cli.import_chains)
app.command("check-store")(check_store_cli.check_store)
app.command("list")(listing_cli.list_names)
app.command("watch-preemption")(watch_cli.watch_preemption)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_INTERRUPTED = 130

SpecPath = Annotated[str, typer.Argument(help="The run spec (YAML); see examples/.", show_default=False)]
RunPath = Annotated[str, typer.Argument(help="The run's folder, or s3://bucket/prefix.", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set sampling.temperature=0")
]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="MODULE", help="Import a Python module of plug-ins; its code is run."),
]


MetricPlugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="NAME",
        help="Import a module that registers metrics, or what a package offers for a probe; its code is run.",
    ),
]


@app.command()
def plan(
    spec_path: SpecPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    chain_tokens: Annotated[
        int | None, typer.Option(min=1, help="Expected length of a chain; default: the longest allowed.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--tokens-per-second",
            min=1e-3,
            help="Prompt and answer tokens that an engine processes per second, for the hours; "
            "default: as measured in the output folder's run.",
        ),
    ] = None,
) -> None:
    """Show shards, requests, tokens and hours, before any model loads."""
    from cotfaith.cluster.cli.tables import cost_table
    from cotfaith.cluster.plan.costs import costs
    from cotfaith.cluster.plan.plan import make_plan, overflow_warnings
    from cotfaith.cluster.plan.rates import measured_rates, rates_note

    made = make_plan(_spec(spec_path, overrides, plugins))
    length = chain_tokens or made.spec.sampling.max_tokens
    rates = measured_rates(made) if rate is None else dict.fromkeys((model.id for model in made.spec.models), rate)
    out.print(cost_table(costs(made, chain_tokens), rates))
    out.print(
        f"Upper bounds for chains of {length} tokens (--chain-tokens: another length); edits succeed at the first try. "
        "Distinct tokens: prefixes that an item's prompts share count once."
    )
    out.print(rates_note(made, rates, rate), markup=False)
    for line in (*made.notes, *overflow_warnings(made)):
        _warn(line)


@app.command()
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
    spec = _spec(spec_path, overrides, plugins)
    from cotfaith.cluster.cli.reporter import ConsoleReporter
    from cotfaith.cluster.cli.tables import failed_text
    from cotfaith.cluster.fleet.run import Again, execute

    quarantined = execute(spec, ConsoleReporter(out, err), Again(repair, retry_quarantined), take_over=take_over)
    store = _store(spec.output.path)
    _summarise(_results(store))
    _say_if_incomplete(store)
    out.print(f"Report: {store.place(keys.REPORT)}", markup=False, soft_wrap=True)
    counted, limit = _failures(store), spec.output.max_failed_share
    for one in counted:
        if one.failed:
            by_status = failed_text(one.statuses)
            out.print(
                f"{one.failed} of {one.total} {one.rows} are not ok ({by_status}); 'Rows by status' in the report "
                "shows where.",
                soft_wrap=True,
            )
    for line in quarantined:
        err.print(plain_text(f"Quarantined: {line}"), markup=False, soft_wrap=True)
    if any(one.are_more_than(limit) for one in counted):
        rows = ", ".join(f"{one.failed} of {one.total} {one.rows}" for one in counted) or "0 of 0 rows"
        err.print(f"Finished with {rows} failed (limit {limit:.0%}).", soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def status(run_path: RunPath) -> None:
    """Show which shards of a run are committed, and its rows by status."""
    from cotfaith.cluster.cli.incomplete import say_if_incomplete
    from cotfaith.cluster.cli.tables import status_table
    from cotfaith.cluster.storage.completeness import compare
    from cotfaith.cluster.storage.read import read_ledger, read_quarantine

    store = _store(run_path)
    record = _run_record(store)
    ledger = read_ledger(store, record)
    out.print(status_table(record, ledger))
    say_if_incomplete(compare(record, ledger, read_quarantine(store)), out)


@app.command()
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
    from cotfaith.cluster.cli.verified import say_verified
    from cotfaith.cluster.fleet.lease import hold_lease
    from cotfaith.cluster.storage.verify import delete_orphans
    from cotfaith.cluster.storage.verify import verify as verified

    store = _store(run_path)
    found = verified(store, _run_record(store))
    say_verified(found, out)
    if orphans:
        with hold_lease(store, _warn):  # a driver's parts are orphans until it commits them
            deleted = delete_orphans(store, verified(store, _run_record(store)))
        out.print(f"Deleted {deleted} orphans.")
    _say_if_incomplete(store)
    if not found.whole:
        raise typer.Exit(1)


@app.command()
def aggregate(run_path: RunPath, plugins: MetricPlugins = None) -> None:
    """Compute the estimates from what is committed."""
    store = _store(run_path)
    _know(plugins)
    _summarise(_aggregate(store))
    _say_if_incomplete(store)
    out.print(f"Estimates: {store.place(keys.ESTIMATES)}", markup=False, soft_wrap=True)


@app.command()
def report(run_path: RunPath, plugins: MetricPlugins = None) -> None:
    """Write report.html from what is committed."""
    store = _store(run_path)
    _know(plugins)
    _results(store)
    _say_if_incomplete(store)
    out.print(f"Report: {store.place(keys.REPORT)}", markup=False, soft_wrap=True)


@app.command()
def show(run_path: RunPath, item_id: Annotated[str, typer.Argument(help="The item's id.")]) -> None:
    """Show one item with its chains and all arms."""
    from cotfaith.cluster.cli.show import show as show_item
    from cotfaith.cluster.storage.read import read_tables

    tables = read_tables(_store(run_path))
    show_item(tables["items"], tables["chains"], tables["observations"], item_id, out)


@app.command()
def schema(plugins: Plugins = None) -> None:
    """Print the JSON Schema of the run spec, for editors."""
    from cotfaith.cluster.plan.spec_schema import spec_schema
    from cotfaith.workers.plugins import import_plugins

    import_plugins(plugins or [])
    print(json.dumps(spec_schema(), indent=2))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cotfaith {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _spec(path: str, overrides: list[str] | None, plugins: list[str] | None) -> RunSpec:
    from cotfaith.cluster.plan.spec_file import load_spec

    return load_spec(path, overrides or [], plugins or [])


def _store(path: str) -> "Store":
    from cotfaith.cluster.storage.read import open_run_store

    return open_run_store(path)


def _run_record(store: "Store") -> "RunRecord":
    from cotfaith.cluster.storage.read import load_run

    loaded = load_run(store)
    assert loaded is not None, "the store was checked for a run"
    return loaded


def _aggregate(store: "Store") -> pa.Table:
    from cotfaith.cluster.report.results import write_estimates

    return write_estimates(store, _run_record(store))


def _results(store: "Store") -> pa.Table:
    from cotfaith.cluster.report.results import write_results

    return write_results(store, _run_record(store))


def _summarise(estimates: pa.Table) -> None:
    from cotfaith.cluster.cli.estimate_tables import shortfall_table, summary_table
    from cotfaith.cluster.cli.imported import print_imported
    from cotfaith.cluster.report.shortfalls import shortfalls
    from cotfaith.cluster.stats.estimates import read_estimates

    print_imported(read_estimates(estimates), out)
    out.print(summary_table(estimates))
    if short := shortfalls(read_estimates(estimates)):
        out.print()
        out.print(shortfall_table(short))


def _say_if_incomplete(store: "Store") -> None:
    from cotfaith.cluster.cli.incomplete import say_if_incomplete
    from cotfaith.cluster.storage.completeness import completeness

    say_if_incomplete(completeness(store, _run_record(store)), out)


def _know(plugins: list[str] | None) -> None:
    """Import the modules that the user names, never those that the run's folder names."""
    from cotfaith.cluster.cli.plugins import import_metrics

    import_metrics(plugins or [])


def _failures(store: "Store") -> "list[Failures]":
    from cotfaith.cluster.cli.failures import failures
    from cotfaith.cluster.storage.read import read_ledger

    return failures(read_ledger(store))


def _warn(text: str) -> None:
    err.print(plain_text(f"Note: {text}"), markup=False, soft_wrap=True)


def _fail(error: CotfaithError) -> None:
    err.print(plain_text(f"Error: {error}"), markup=False, soft_wrap=True, style="red")


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        _fail(error)
        sys.exit(2)
    except CotfaithError as error:
        _fail(error)
        sys.exit(1)
    except KeyboardInterrupt:
        again = shlex.join(["cotfaith", *sys.argv[1:]])
        err.print(f"\nStopped. Finished work is kept. To continue: {again}", markup=False, soft_wrap=True)
        sys.exit(_INTERRUPTED)


def _interrupt(*_: Any) -> None:
    """Stop as Ctrl-C does, even if the shell makes the process ignore Ctrl-C (nohup, a script's background job)."""
    raise KeyboardInterrupt


def _show_any_text() -> None:
    """Print "?" for characters that the terminal's encoding lacks; an error handler that the user chose stays."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command line."""
    _show_any_text()
    warnings.showwarning = lambda message, *_, **__: _warn(str(message))
    signal.signal(signal.SIGTERM, _interrupt)
    with _exit_codes():
        try:
            app()
        except SystemExit as end:
            if end.code in (_INTERRUPTED, signal.SIGTERM):  # what typer and Ray turn the signals into
                raise KeyboardInterrupt from None
            raise
