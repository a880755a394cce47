"""``cotfaith export``: a run's rows for other tools: Inspect's viewer, or tables for a warehouse."""

from pathlib import Path
from typing import Annotated

import typer

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import out, say
from cotfaith.cluster.cli.options import RunPath
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.run_objects import RunRecord

TARGETS = ("inspect", "parquet", "iceberg")
"""What ``--to`` can name."""
_FOLDERS = {"inspect": "logs", "parquet": "warehouse", "iceberg": ""}


def export(
    run_path: RunPath,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="inspect: logs for Inspect's viewer (.eval). parquet: tables for a warehouse. iceberg: "
            "Apache Iceberg tables.",
            autocompletion=completion.of(lambda: TARGETS),
        ),
    ],
    out_folder: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The folder to write into; other files in it stay. By default logs, or warehouse; the tables can also "
            "go to s3://bucket/prefix.",
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Only this model; can be repeated. For inspect.",
            autocompletion=completion.models,
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="Only this task; can be repeated. For inspect.",
            autocompletion=completion.tasks,
        ),
    ] = None,
    file_mb: Annotated[
        int | None, typer.Option("--file-mb", metavar="N", help="Size of a table's files, in MiB. [default: 256]")
    ] = None,
    catalog: Annotated[
        str, typer.Option("--catalog", metavar="NAME", help="For iceberg: a catalog of pyiceberg's configuration.")
    ] = "default",
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="For iceberg: where in the catalog the tables are.")
    ] = "cotfaith",
) -> None:
    """Export a run's committed rows for another tool."""
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.storage.read import open_run_store

    _check(to, out_folder, bool(models or tasks), file_mb)
    store = open_run_store(run_path)
    run = run_record(store)
    folder = out_folder or _FOLDERS[to]
    if to == "inspect":
        _logs(store, run, folder, models, tasks)
        return
    if to == "parquet":
        _tables(store, run, folder, file_mb)
    else:
        _iceberg(store, run, catalog, namespace)
    say_what_is_missing(store, out)


def _logs(store: Store, run: RunRecord, folder: str, models: list[str] | None, tasks: list[str] | None) -> None:
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.export.inspect import export_inspect

    shown = view(False, models, tasks, (run.identity.models, run.ranges))
    done = export_inspect(store, run, Path(folder).expanduser(), shown.models, shown.tasks)
    say_what_is_missing(store, out)
    failed = f", {done.errors:,} of them failed chains, which are errors there" if done.errors else ""
    say(f"{len(done.files):,} logs with {done.samples:,} samples{failed}: {folder}")
    say(f"To read them: inspect view --log-dir {folder}")


def _tables(store: Store, run: RunRecord, folder: str, file_mb: int | None) -> None:
    from cotfaith.cluster.export.warehouse import FILE_MB, export_parquet
    from cotfaith.cluster.storage.store import check_reachable

    to = _target(folder)
    check_reachable(to)
    done = export_parquet(store, run, to, (file_mb or FILE_MB) * 2**20)
    for name, added in done.added.items():
        n_files = sum(table == name for table, _ in done.manifest.files)
        if n_files:
            say(f"{name}: {done.manifest.rows(name):,} rows ({added:+,}) in {n_files:,} files")
    commits = sum(one.commits for one in done.manifest.groups)
    say(f"{commits:,} commits exported, {len(done.written):,} files written: {folder}")


def _iceberg(store: Store, run: RunRecord, catalog: str, namespace: str) -> None:
    from cotfaith.cluster.export.iceberg import export_iceberg

    for name, done in export_iceberg(store, run, catalog, namespace).items():
        say(f"{namespace}.{name}: {done.rows:,} rows ({done.added:+,})")


def _target(folder: str) -> Store:
    """Return the store that is exported to; raise ``SpecError`` if it cannot be one."""
    from cotfaith.cluster.storage.store import open_store
    from cotfaith.schemas.errors import SpecError

    try:
        return open_store(folder)
    except SpecError as error:
        raise SpecError(str(error).replace("output.path", "--out")) from None


def _check(to: str, out_folder: str | None, chosen: bool, file_mb: int | None) -> None:
    """Raise ``SpecError`` for an option that cannot be meant."""
    from cotfaith.cluster.export.warehouse import MOST_MB
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.suggest import unknown

    if to not in TARGETS:
        raise SpecError(f"--to: {unknown('target', to, TARGETS)}")
    if to == "inspect" and out_folder is not None and ("://" in out_folder or not out_folder.strip()):
        raise SpecError(f"--out {out_folder!r}: expected a folder of this machine, for example logs.")
    if to == "iceberg" and out_folder is not None:
        raise SpecError("--out is not for --to iceberg: its catalog says where tables are.")
    if to != "inspect" and chosen:
        raise SpecError("--model and --task are for --to inspect: tables hold all committed rows of a run.")
    if to != "parquet" and file_mb is not None:
        raise SpecError("--file-mb is for --to parquet.")
    if file_mb is not None and not 1 <= file_mb <= MOST_MB:
        raise SpecError(f"--file-mb: got {file_mb}, expected 1 to {MOST_MB}.")
