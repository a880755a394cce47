"""The command line.

Exit codes: 0 done, 1 finished with too many failed rows or without a model that was given up, 2 bad input, 3 stopped at
a limit (``run``), 130 stopped by Ctrl-C, 143 stopped by SIGTERM: 128 and the signal's number, as shells have it.
"""

import io
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from cotfaith import __version__
from cotfaith.cluster.cli import organisms
from cotfaith.cluster.cli.aggregate import aggregate
from cotfaith.cluster.cli.check_store import check_store
from cotfaith.cluster.cli.compare import compare
from cotfaith.cluster.cli.consoles import err, note
from cotfaith.cluster.cli.export import export
from cotfaith.cluster.cli.gate import gate
from cotfaith.cluster.cli.import_chains import import_chains
from cotfaith.cluster.cli.init import init
from cotfaith.cluster.cli.label import label
from cotfaith.cluster.cli.listing import list_names
from cotfaith.cluster.cli.loss import loss
from cotfaith.cluster.cli.plan import plan
from cotfaith.cluster.cli.report import report
from cotfaith.cluster.cli.run import run
from cotfaith.cluster.cli.schema import schema
from cotfaith.cluster.cli.select import select
from cotfaith.cluster.cli.show import show
from cotfaith.cluster.cli.status import status
from cotfaith.cluster.cli.try_model import try_model
from cotfaith.cluster.cli.validate import validate
from cotfaith.cluster.cli.verify import verify
from cotfaith.cluster.cli.watch import watch_preemption
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.unshown import without_credentials
from cotfaith.schemas.variables import CACHE, OUTPUT, RAY_ADDRESS, told

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure whether a language model's chain of thought can be trusted, per model and per task.",
    epilog=told(OUTPUT, RAY_ADDRESS, CACHE),
)
app.add_typer(organisms.app, name="organisms")
app.command("try", epilog=told(OUTPUT, RAY_ADDRESS, CACHE))(try_model)
app.command()(init)
app.command(epilog=told(RAY_ADDRESS, CACHE))(validate)
app.command("import", epilog=told(CACHE))(import_chains)
app.command("check-store")(check_store)
app.command("list")(list_names)
app.command("watch-preemption")(watch_preemption)
app.command(epilog=told(OUTPUT, RAY_ADDRESS, CACHE))(plan)
app.command(epilog=told(OUTPUT, RAY_ADDRESS, CACHE))(run)
app.command(epilog=told(CACHE))(loss)
for command in (status, verify, aggregate, gate, select, compare, report, show, label, export, schema):
    app.command()(command)

_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
_STOPS = {_INTERRUPTED: _INTERRUPTED, _TERMINATED: _TERMINATED, signal.SIGTERM: _TERMINATED}
"""What typer, our commands and Ray turn signals into -> our exit code."""
_received: list[int] = []
"""The signals that interrupted the command, of those that Python has no exception of its own for."""


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


def _fail(error: CotfaithError) -> None:
    err.print(plain_text(f"Error: {without_credentials(str(error))}"), markup=False, soft_wrap=True, style="red")


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
        _stop(_INTERRUPTED)
    except Exception:
        sys.excepthook = _traceback  # typer has set its own
        raise


def _traceback(*error: Any) -> None:
    """Print a traceback without secrets: what other libraries raise can quote requests and addresses."""
    print(without_credentials("".join(traceback.format_exception(*error))), file=sys.stderr, end="")


def _stop(code: int) -> None:
    again = without_credentials(shlex.join(["cotfaith", *sys.argv[1:]]))
    err.print(f"\nStopped. Finished work is kept. To continue: {again}", markup=False, soft_wrap=True)
    sys.exit(_TERMINATED if _received else code)


def _interrupt(number: int, _: Any) -> None:
    """Stop as Ctrl-C does, even if the shell makes the process ignore Ctrl-C (nohup, a script's background job)."""
    _received.append(number)
    raise KeyboardInterrupt


def _show_any_text() -> None:
    """Print "?" for characters that the terminal's encoding lacks; an error handler that the user chose stays."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command line."""
    _show_any_text()
    warnings.showwarning = lambda message, *_, **__: note(without_credentials(str(message)))
    _received.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    with _exit_codes():
        try:
            app()
        except SystemExit as end:
            if isinstance(end.code, int) and end.code in _STOPS:
                _stop(_STOPS[end.code])
            raise
