"""What the shell offers for the values of arguments and options: runs, models, tasks, probes, metrics, kinds, formats.

In: what is typed so far, and the arguments before it. Out: words that begin with it. A shell asks at each press of Tab:
so nothing is asked of a network, no more than ``_MOST`` entries of a folder are looked at, only ``run.json`` of a run
is read, nothing heavy is imported, and whatever fails gives no words. Knows nothing about commands.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from cotfaith.cluster.yaml_text import yaml_data

Words = Callable[[typer.Context, str], list[str]]
_MOST = 1000
"""Entries of a folder."""
_LARGEST = 2**24
"""Bytes of a run.json, or of a spec, that is read."""
_RECORD = "run.json"


def _words(offer: Callable[[typer.Context, str], Iterable[str]]) -> Words:
    """Make of a function that yields words one that filters them, and never raises."""

    def words(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return sorted({word for word in offer(ctx, incomplete) if word.startswith(incomplete) and _is_plain(word)})
        except Exception:  # a message would end up in the line that is typed
            return []

    return words


def _is_plain(word: str) -> bool:
    """Return whether a shell can take the word: a file of others names some, and no control character may pass."""
    return word.isprintable()


def of(names: Callable[[], Iterable[str]]) -> Words:
    """Return what offers the names that a function gives."""
    return _words(lambda _, __: names())


@_words
def runs(_: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer folders: those of runs, and those that may hold some, with a slash."""
    for entry, text in _entries(incomplete):
        if entry.is_dir():
            yield text if Path(entry.path, _RECORD).is_file() else f"{text}/"


@_words
def specs(_: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer YAML files, and folders with a slash."""
    for entry, text in _entries(incomplete):
        if entry.is_dir():
            yield f"{text}/"
        elif entry.name.endswith((".yaml", ".yml")):
            yield text


def _entries(incomplete: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield the entries of the folder that is typed so far, with what to type for each; hidden ones are left out."""
    folder = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
    with os.scandir(Path(folder).expanduser() if folder else ".") as found:
        for entry in islice(found, _MOST):
            if not entry.name.startswith("."):
                yield entry, folder + entry.name


def _spec(ctx: typer.Context) -> dict[str, Any]:
    """Return the spec that the line names: a file's, or the one of a run in a local folder."""
    if "spec_path" in ctx.params:
        return dict(yaml_data(_small(_named(ctx)).decode()))
    return dict(json.loads(_small(_named(ctx) / _RECORD))["spec"])


def _named(ctx: typer.Context) -> Path:
    """Return the run or the spec: the first argument, which is unread while an option before it lacks its value."""
    given = ctx.params.get("spec_path") or ctx.params.get("run_path") or ctx.args[0]
    return Path(str(given)).expanduser()


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST)


@_words
def models(ctx: typer.Context, _: str) -> Iterator[str]:
    """Offer the models of the line's run."""
    return (one["id"] for one in _spec(ctx)["models"])


@_words
def tasks(ctx: typer.Context, _: str) -> Iterator[str]:
    """Offer the tasks of the line's run."""
    return (one["name"] for one in _spec(ctx)["tasks"])


@_words
def probes(ctx: typer.Context, _: str) -> Iterator[str]:
    """Offer the probes of the line's run."""
    return (one if isinstance(one, str) else one["name"] for one in _spec(ctx)["probes"])


@_words
def strategies(ctx: typer.Context, _: str) -> Iterator[str]:
    """Offer the strategies of the line's run."""
    return iter(_spec(ctx).get("strategies", ()))


@_words
def metrics(ctx: typer.Context, _: str) -> Iterator[str]:
    """Offer the metrics in the estimates of the line's run."""
    import polars as pl

    found = pl.scan_parquet(_named(ctx) / "estimates.parquet").select("metric").unique().collect()
    yield from found["metric"]


@_words
def sources(_: typer.Context, __: str) -> Iterator[str]:
    """Offer the packaged organisms, and the beginnings of other models' names."""
    from cotfaith.workers.organisms.folder import packaged

    yield from (f"organism:{name}" for name in packaged())
    yield from ("hf/", "vllm/", "openai/", "stub/")


@_words
def organisms(_: typer.Context, __: str) -> Iterator[str]:
    """Offer the names of the packaged organisms."""
    from cotfaith.workers.organisms.folder import packaged

    yield from packaged()


@_words
def data(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer the generators of tasks, and files of records."""
    from cotfaith.workers.tasks.files import READERS
    from cotfaith.workers.tasks.generators import GENERATORS

    yield from GENERATORS.names()
    for entry, text in _entries(incomplete):
        if entry.is_dir():
            yield f"{text}/"
        elif entry.name.removesuffix(".gz").endswith(tuple(READERS)):
            yield text


@_words
def statuses(_: typer.Context, __: str) -> Iterator[str]:
    """Offer the statuses of rows."""
    from cotfaith.schemas.status import Status

    yield from (str(one.value) for one in Status)
