"""The command line under test: in this process, or in a process of its own for tests of signals and exits."""

import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import yaml

MAIN = "from cotfaith.cluster.cli.app import main; main()"
TIMEOUT_S = 240


@dataclass(frozen=True)
class Done:
    """The result of a command, with the names of ``subprocess.CompletedProcess``."""

    returncode: int
    stdout: str
    stderr: str


def in_process(
    *arguments: object, cwd: Path | None = None, width: int = 80, out: TextIO | None = None, err: TextIO | None = None
) -> Done:
    """Run a command line in this process, on this process's Ray if it needs one.

    ``width`` is in columns; ``out`` and ``err``, if given, receive the printed text, and ``Done`` has none of it.
    """
    from cotfaith.cluster.cli import app

    printed, said = io.StringIO(), io.StringIO()
    with (
        _process_kept(),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out or printed),
        contextlib.redirect_stderr(err or said),
        mock.patch.dict(os.environ, COLUMNS=str(width)),
        mock.patch.object(sys, "argv", ["cotfaith", *map(str, arguments)]),
        mock.patch.object(app, "app", click_command()),
    ):
        try:
            app.main()
        except SystemExit as end:
            code = end.code or 0
        else:
            code = 0
    assert isinstance(code, int), code
    return Done(code, printed.getvalue(), said.getvalue())


@functools.cache
def click_command() -> Any:
    """Return what typer makes of the command line. It makes it anew for every call, as long as many a command takes."""
    import typer

    from cotfaith.cluster.cli import app

    return typer.main.get_command(app.app)


@contextlib.contextmanager
def _process_kept() -> Iterator[None]:
    """Restore what a command sets for the life of its process."""
    handler = signal.getsignal(signal.SIGTERM)
    with warnings.catch_warnings():
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, handler)


def as_process(*arguments: object, cwd: Path | None = None, code: str = MAIN) -> Done:
    """Run a command line in a process of its own, which starts its own Ray if it needs one."""
    done = subprocess.run(
        line(*arguments, code=code), cwd=cwd, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    return Done(done.returncode, done.stdout, done.stderr)


def line(*arguments: object, code: str = MAIN) -> list[str]:
    """Return the command that starts a command line as a process."""
    return [sys.executable, "-c", code, *map(str, arguments)]


def write_spec(folder: Path, content: dict[str, Any]) -> Path:
    """Write a run's spec into the folder; return its path."""
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(content))
    return file
