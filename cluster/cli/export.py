"""``cotfaith export``: a run's chains with everything on them, in the format of another tool."""

from pathlib import Path
from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import out, say
from cotfaith.cluster.cli.options import RunPath

TARGETS = ("inspect",)
"""What ``--to`` can name."""


def export(
    run_path: RunPath,
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="inspect: logs for Inspect's viewer (.eval).")],
    out_folder: Annotated[
        str, typer.Option("--out", metavar="DIR", help="The folder to write into; other files in it stay.")
    ] = "logs",
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="Only this model; can be repeated.")
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--task", metavar="TASK", help="Only this task; can be repeated.")
    ] = None,
) -> None:
    """Export a run's chains, with their arms, readings and verdicts, for another tool."""
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.export.inspect import export_inspect
    from cotfaith.cluster.storage.read import open_run_store

    _check(to, out_folder)
    store = open_run_store(run_path)
    run = run_record(store)
    shown = view(False, models, tasks, (run.identity.models, run.ranges))
    done = export_inspect(store, run, Path(out_folder).expanduser(), shown.models, shown.tasks)
    say_what_is_missing(store, out)
    failed = f", {done.errors:,} of them failed chains, which are errors there" if done.errors else ""
    say(f"{len(done.files):,} logs with {done.samples:,} samples{failed}: {out_folder}")
    say(f"To read them: inspect view --log-dir {out_folder}")


def _check(to: str, out_folder: str) -> None:
    """Raise ``SpecError`` for an option that cannot be meant."""
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.suggest import unknown

    if to not in TARGETS:
        raise SpecError(f"--to: {unknown('target', to, TARGETS)}")
    if "://" in out_folder or not out_folder.strip():
        raise SpecError(f"--out {out_folder!r}: expected a folder of this machine, for example logs.")
