"""A run -> Inspect logs, which Inspect's viewer and everything that reads Inspect's logs opens.

In: a run's store, and a folder. Out: one ``.eval`` file for each model, task and strategy, with the committed chains of
all variants as samples (``eval_sample.py``) under a header (``eval_header.py``). Shards are read one at a time.
Exporting again replaces the logs that an export of this run wrote, and no other file.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from cotfaith.cluster.export.eval_file import Data, eval_file, header_of
from cotfaith.cluster.export.eval_header import Cell, Counts, Made, header, made_of
from cotfaith.cluster.export.eval_sample import Row, eval_sample
from cotfaith.cluster.storage.batches import check_ranges, ranges
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.ledger import Ledger, ShardLog
from cotfaith.cluster.storage.read import read_ledger, tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.variants import PLAIN

_ARMS = ("probe", "step", "position", "rollout", "arm", "reader")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: tuple[Path, ...] = ()
    samples: int = 0
    errors: int = 0
    """Samples whose chain failed."""


def export_inspect(
    store: Store, run: RunRecord, folder: Path, models: Sequence[str] = (), tasks: Sequence[str] = ()
) -> Exported:
    """Write the logs of a run into ``folder``; ``models``, ``tasks``: the only ones, empty: all.

    Raises:
        SpecError: nothing is committed, or a file that no export of this run wrote is in the way; nothing was written.
        RunFolderError: an object of the run is damaged, or not the run's.

    """
    ledger = read_ledger(store, run)
    if run.schema_version >= FIRST_PRESENT:
        check_ranges(ranges(ledger))
    made, missing = made_of(store, run), completeness(store, run, ledger).missing
    groups = _groups(ledger, models, tasks)
    _check_free(run, folder, [cell for group, logs in groups.items() for cell in _cells(group, logs)])
    files, counts = list[Path](), list[Counts]()
    for group, logs in groups.items():
        for path, count in _write(store, run, folder, _cells(group, logs), logs, made, missing.get(group, 0)):
            files.append(path)
            counts.append(count)
    return Exported(tuple(files), sum(one.samples for one in counts), sum(one.errors for one in counts))


def _groups(ledger: Ledger, models: Sequence[str], tasks: Sequence[str]) -> dict[tuple[str, str], list[ShardLog]]:
    """Return the shards of each model and task that have chains."""
    found: defaultdict[tuple[str, str], list[ShardLog]] = defaultdict(list)
    for shard, log in ledger.logs.items():
        if (not models or shard.model in models) and (not tasks or shard.task in tasks) and log.pieces:
            found[shard.model, shard.task].append(log)
    if not found:
        raise SpecError("Nothing is committed yet that could be exported. Run the spec first.")
    return dict(found)


def _cells(group: tuple[str, str], logs: Iterable[ShardLog]) -> list[Cell]:
    strategies = {piece.strategy for log in logs for piece in log.pieces if piece.probe is None}
    return [Cell(*group, strategy) for strategy in sorted(strategies)]


def _check_free(run: RunRecord, folder: Path, cells: Iterable[Cell]) -> None:
    """Raise unless each file can be written: it is not there, or an export of this run wrote it."""
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"--out {folder}: this is a file. Name a folder.")
    for path, cell in ((_path(run, folder, cell), cell) for cell in cells):
        if path.exists() and not _is_ours(header_of(path), run, cell):
            raise SpecError(
                f"--out {folder}: {path.name} is there already, and no export of this run wrote it. It is not written "
                "over. Name another folder, or move it away."
            )


def _is_ours(found: Data | None, run: RunRecord, cell: Cell) -> bool:
    about = (found or {}).get("eval")
    return isinstance(about, dict) and (about.get("run_id"), about.get("task_id")) == (run.run_id, cell.id(run))


def _write(
    store: Store,
    run: RunRecord,
    folder: Path,
    cells: Sequence[Cell],
    logs: Iterable[ShardLog],
    made: Made,
    missing: int,
) -> list[tuple[Path, Counts]]:
    """Write the logs of a model on a task, those of all strategies side by side."""
    paths = {cell.strategy: _path(run, folder, cell) for cell in cells}
    counts = {cell.strategy: Counts() for cell in cells}
    with ExitStack() as stack:
        files = {name: stack.enter_context(eval_file(path)) for name, path in paths.items()}
        for log in logs:
            for strategy, sample in _samples(tables_of(store, [log], run.run_id)):
                counts[strategy].add(files[strategy].add(sample))
        for cell in cells:
            files[cell.strategy].finish(header(run, cell, counts[cell.strategy], made, missing))
    return [(paths[name], counts[name]) for name in paths]


def _samples(tables: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, Data]]:
    """Yield the samples of a shard with their strategies: item by item, plain chains first."""
    items = {row["item_id"]: row for row in tables["items"].iter_rows(named=True)}
    on = defaultdict[tuple[Any, ...], list[Row]](list)
    for row in tables["observations"].sort(_ARMS).iter_rows(named=True):
        on[row["item_id"], row["strategy"], row["variant"], row["chain_index"]].append(row)
    chains = tables["chains"].sort("item_id", pl.col("variant") != PLAIN, "variant", "chain_index")
    for chain in chains.iter_rows(named=True):
        place = (chain["item_id"], chain["strategy"], chain["variant"])
        rows = [*on[*place, chain["chain_index"]], *on[*place, None]]
        yield chain["strategy"], eval_sample(items[chain["item_id"]], chain, rows)


def _path(run: RunRecord, folder: Path, cell: Cell) -> Path:
    """Return the log's place; names are as Inspect's, whose parts are set apart by ``_``."""
    model, task, strategy = (name.replace("_", "-") for name in cell)
    created = datetime.fromisoformat(run.created).astimezone(UTC)
    return folder / f"{created:%Y-%m-%dT%H-%M-%S}+00-00_{task}-{strategy}_{model}_{cell.id(run)}.eval"
