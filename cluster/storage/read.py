"""What a run's folder holds, read and checked: run.json, commits, and the tables that the commits name.

In: a store. Out: typed objects and tables, or ``RunFolderError`` that names the object, what is wrong and what to do.
Tables are read through their commits, never by a glob, so that orphans of crashed attempts, and rows that were replaced
later, stay unseen.

Files among the commits: those of cotfaith end in ``.json`` and begin with a letter or digit. Any such file must be a
commit that belongs exactly there: a copy ("x (1).json", a folder of backups) would count its rows twice, so it is
refused. Other files (.DS_Store, x.json~, ._x.json) are not cotfaith's: they are left alone, with a note.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from cotfaith.cluster.storage.codes import dense_codes, first_rows, numbers, row_codes
from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog, ledger_of, log_of
from cotfaith.cluster.storage.parts import Columns, checked_part, coded_schema
from cotfaith.cluster.storage.row_fit import COMMIT, check_fit
from cotfaith.cluster.storage.store import CHECK_KEY, Store, check_reachable, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError, SpecError
from cotfaith.schemas.old_commits import FIRST_PRESENT, parse_old_commit
from cotfaith.schemas.run_folder import (
    parse_commit,
    parse_given_up,
    parse_noise,
    parse_quarantined,
    parse_run,
    parse_validation,
)
from cotfaith.schemas.run_objects import (
    CheckEntry,
    Commit,
    GivenUpModel,
    NoiseEntry,
    Part,
    PieceName,
    Quarantined,
    RunRecord,
)
from cotfaith.schemas.spec import OutputSpec, check_section
from cotfaith.schemas.tables import TABLES

_ORDER = ["model", "task", "strategy", "variant", "probe", "item_id", "chain_index", "position", "arm", "reader"]
_ITEM = ["model", "task", "item_id"]
_PIECE = ["strategy", "variant", "probe"]  # all pieces of a commit have the same reader
UNIQUE = {
    "items": [*_ITEM, COMMIT],  # written with each generation of an item's chains
    "chains": [*_ITEM, "strategy", "variant", "chain_index"],
    "observations": [*_ITEM, "strategy", "variant", "probe", "chain_index", "arm", "reader"],
}
"""The columns that no two rows of a table share."""


def load_run(store: Store) -> RunRecord | None:
    """Return run.json, or None if no run has begun; raise ``RunFolderError`` if it is something else."""
    data = store.get(keys.RUN)
    return None if data is None else parse_run(data)


def open_run_store(path: str) -> Store:
    """Return the store of an existing run; what is written to it is encrypted as the run's last spec says.

    Raises:
        SpecError: there is no run at ``path``.

    """
    store = open_store(path)
    check_reachable(store)
    run = load_run(store)
    if run is None:
        raise SpecError(f"{path}: there is no run here (no {keys.RUN}). Start one with: cotfaith run SPEC")
    settings = {name: run.spec.output.get(name) for name in ("sse", "sse_kms_key")}
    return (
        open_store(check_section(OutputSpec, {"path": path} | settings, keys.RUN)) if any(settings.values()) else store
    )


def load_checks(store: Store) -> list[CheckEntry]:
    """Return the checks of the run's last validation; none if there was none."""
    data = store.get(keys.VALIDATION)
    return [] if data is None else parse_validation(data)


def read_ledger(store: Store, run: RunRecord | None = None) -> Ledger:
    """Return all commits, each checked, by shard; ``run``: run.json, if it was read already.

    Raises:
        RunFolderError: an object among the commits is not a commit, is a copy, or belongs to no shard of the run.

    """
    return ledger_of(_commits(store, run or load_run(store), keys.COMMITS))


def read_log(store: Store, shard: Shard) -> ShardLog:
    """Return the commits of one shard of a run that is not old, each checked."""
    return log_of(_commits(store, None, keys.commit_folder(shard.id)))


def _commits(store: Store, run: RunRecord | None, prefix: str) -> Iterator[Commit]:
    for _, found in commits_found(store, run, prefix):
        if isinstance(found, RunFolderError):
            raise found
        yield found


def commits_found(
    store: Store, run: RunRecord | None, prefix: str = keys.COMMITS
) -> Iterator[tuple[str, Commit | RunFolderError]]:
    """Yield each key below ``prefix``, in order, with its commit, or with what is wrong with it."""
    parse = parse_old_commit if run is not None and run.schema_version < FIRST_PRESENT else parse_commit
    found = objects(store, prefix)
    for key, data in zip(found, store.get_many(found), strict=True):
        if data is not None:
            try:
                commit = parse(data, key)
                if run is not None:
                    _check_in_run(commit, run)
            except RunFolderError as error:
                yield key, error
            else:
                yield key, commit


def _check_in_run(commit: Commit, run: RunRecord) -> None:
    """Raise unless the commit is of a shard that the run has."""
    key = commit.key
    if commit.model not in run.identity.models:
        known = ", ".join(run.identity.models)
        raise RunFolderError(
            f"{key}: the run has no model {commit.model!r}; it has {known}. Was a file copied here? Move {key} "
            "out of the folder."
        )
    if not run.has_shard(commit.task, commit.start, commit.stop):
        raise RunFolderError(
            f"{key}: items {commit.start} to {commit.stop} of {commit.task!r} are not a shard of this run, which has "
            f"{run.n_items.get(commit.task, 0)} of its items. Was {keys.RUN} changed by hand, or a file copied here? "
            f"Move {key} out of the folder, or restore {keys.RUN}."
        )


def read_quarantine(store: Store) -> list[Quarantined]:
    """Return the records of all quarantined items, each checked, in the order of their keys."""
    found = objects(store, keys.QUARANTINE)
    pairs = zip(found, store.get_many(found), strict=True)
    return [parse_quarantined(data, key) for key, data in pairs if data is not None]


def read_given_up(store: Store) -> list[GivenUpModel]:
    """Return the records of the models that the last run gave up, each checked, in the order of their keys."""
    found = objects(store, keys.GIVEN_UP)
    pairs = zip(found, store.get_many(found), strict=True)
    return [parse_given_up(data, key) for key, data in pairs if data is not None]


def read_noise(store: Store) -> list[NoiseEntry]:
    """Return the noise floor of each model that has one, each checked, in the order of their keys."""
    found = objects(store, keys.NOISE)
    pairs = zip(found, store.get_many(found), strict=True)
    return [parse_noise(data, key) for key, data in pairs if data is not None]


def objects(store: Store, prefix: str) -> list[str]:
    """Return the keys below ``prefix`` that can be ours; warn of the others."""
    found = []
    for key in store.list(prefix):
        if key.endswith(".json") and not key.rpartition("/")[2].startswith("."):
            found.append(key)
        elif key != CHECK_KEY:
            warnings.warn(f"{key}: not written by cotfaith; it is left alone.", stacklevel=2)
    return found


def read_tables(store: Store) -> dict[str, pl.DataFrame]:
    """Return ``items``, ``chains`` and ``observations``: all rows that count, in a fixed order.

    Raises:
        RunFolderError: an object is damaged or not the run's, a row occurs twice, or rows do not fit together.

    """
    run = load_run(store)
    return tables_of(store, read_ledger(store, run).logs.values(), None if run is None else run.run_id)


def tables_of(
    store: Store, logs: Iterable[ShardLog], run_id: str | None, columns: Columns | None = None
) -> dict[str, pl.DataFrame]:
    """Return the same tables of some shards only; nothing else is read. ``columns``: as for ``checked_part``."""
    parts: dict[str, list[pa.Table]] = {"items": [], "chains": [], "observations": []}
    sources: dict[str, list[Commit]] = {name: [] for name in parts}
    live = [named for log in logs for named in live_parts(log)]
    for named, table in zip(live, read_live(store, live, run_id, columns), strict=True):
        parts[named.part.table].append(table)
        sources[named.part.table].append(named.commit)
    schemas = TABLES if columns is None else {name: coded_schema(name, columns[name]) for name in parts}
    filled = {name: found or [schemas[name].empty_table()] for name, found in parts.items()}
    tables = {name: _in_order(_together(found, sources[name], name), name) for name, found in filled.items()}
    check_fit(tables)
    return {name: table.drop(COMMIT) for name, table in tables.items()}


def item_ids(store: Store, log: ShardLog) -> list[str]:
    """Return the ids of the items in a shard's parts: commits of old runs do not name them."""
    live = [one for one in live_parts(log) if one.part.table == "items"]
    return [item for table in read_live(store, live, None) for item in table.column("item_id").to_pylist()]


class LivePart(NamedTuple):
    """A part with rows that count."""

    part: Part
    commit: Commit
    items: dict[PieceName, set[str]]
    """For each of the commit's pieces, the items whose rows in it count."""


def live_parts(log: ShardLog) -> list[LivePart]:
    """Return the shard's parts with rows that no later commit replaced."""
    found = ((commit, live_items(commit, log)) for commit in log.commits)
    return [LivePart(part, commit, items) for commit, items in found if any(items.values()) for part in commit.parts]


def live_items(commit: Commit, log: ShardLog) -> dict[PieceName, set[str]]:
    """Return, for each of the commit's pieces, the items whose rows in it count."""
    names = [piece.name for piece in commit.pieces]
    if log.counts_whole:
        return {name: set(commit.items) for name in names}
    return {name: {item for item, one in log.live[name].items() if one.commit is commit} for name in names}


def read_live(
    store: Store, live: Sequence[LivePart], run_id: str | None, columns: Columns | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of each part that count; small objects are read in parallel where that helps."""
    for named, data in zip(live, store.get_many([one.part.key for one in live]), strict=True):
        yield _rows_that_count(checked_part(data, named.part, named.commit, run_id, columns), named)


def _rows_that_count(table: pa.Table, named: LivePart) -> pa.Table:
    part, commit, live = named
    if all(len(items) == len(commit.items) for items in live.values()):
        return table
    names = ["item_id"] if part.table == "items" else [*_PIECE, "item_id"]
    frame = pl.from_arrow(table.select([name for name in names if name in table.column_names]))
    assert isinstance(frame, pl.DataFrame), f"{part.table} is one column"
    found = [(*piece[:3], item) for piece, items in live.items() for item in items]
    wanted = pl.DataFrame(found, [(name, pl.String) for name in (*_PIECE, "item_id")], orient="row")
    rows = frame.cast(pl.String).with_row_index("_row")
    kept = rows.join(wanted, on=frame.columns, how="semi", nulls_equal=True, maintain_order="left")
    return table.take(kept["_row"].to_arrow())


def _together(found: list[pa.Table], sources: list[Commit], name: str) -> pl.DataFrame:
    """Return all rows of a table with the keys of their commits; no two of them may be the same row."""
    frame = pl.from_arrow(pa.concat_tables(found))
    assert isinstance(frame, pl.DataFrame), f"{name} is one column"
    commits = list(dict.fromkeys(commit.key for commit in sources))
    places = [commits.index(commit.key) for commit in sources]
    number = np.repeat(np.array(places, np.uint32), [part.num_rows for part in found[: len(places)]])
    marked = frame.with_columns(pl.Series(COMMIT, commits, dtype=pl.Enum(commits)).gather(number))
    rows = pl.Series(row_codes(numbers(marked, UNIQUE[name]))[0])
    if rows.n_unique() < len(rows):
        raise RunFolderError(_twice(marked.filter(rows.is_duplicated()), name))
    return marked


def _twice(rows: pl.DataFrame, name: str) -> str:
    first = rows.head(1).select(UNIQUE[name]).to_dicts()[0]
    shown = {column: value for column, value in first.items() if value is not None and not column.startswith("_")}
    row = ", ".join(f"{column} {value!r}" for column, value in shown.items())
    same = rows.filter(pl.all_horizontal(pl.col(c).eq_missing(v) for c, v in first.items()))
    where = sorted(set(same[COMMIT].to_list()))
    return (
        f"{name}: the row {row} occurs {len(same)} times, in {' and '.join(where)}; {len(rows)} rows are in more "
        "than one place. Was the folder changed by hand? Move the commit that does not belong to this run out of it."
    )


def _in_order(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    if name == "items":
        different = frame.drop("schema_version", COMMIT, strict=False).unique(maintain_order=True)
        others = different.filter(different.select(_ITEM).is_duplicated())
        if len(others):
            other = others["item_id"][0]
            raise RunFolderError(
                f"items: {other!r} is not the same question in all commits. Was the folder changed by hand? Begin "
                "a run in another folder."
            )
        frame = frame.unique(_ITEM, keep="any", maintain_order=True)
    if frame.schema["item_id"] == pl.Categorical:
        return _by_item(frame)
    return frame.sort([column for column in _ORDER if column in frame.columns], nulls_last=False)


def _by_item(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows probe by probe, in the order of their items, in which sums are made; then in that of commits."""
    item_N, n = dense_codes(numbers(frame, ["item_id"]))
    names = frame["item_id"].gather(first_rows(item_N, n)).cast(pl.String)
    rank = np.empty(n, np.int64)
    rank[names.arg_sort().to_numpy()] = np.arange(n)
    key_N = rank[item_N]
    if "probe" in frame.columns:
        key_N += n * dense_codes(numbers(frame, ["probe"]))[0]
    return frame[np.argsort(key_N, kind="stable")]
