"""What a run's folder holds, read and checked: run.json, commits, and the tables that the commits name.

In: a store. Out: typed objects and tables, or ``RunFolderError`` that names the object, what is wrong and what to do.
Tables are read through their commits, never by a glob, so that orphans of crashed attempts stay unseen.

Files among the commits: those of cotfaith end in ``.json`` and begin with a letter or digit. Any such file must be a
commit that belongs exactly there: a copy ("x (1).json", a folder of backups) would count its rows twice, so it is
refused. Other files (.DS_Store, x.json~, ._x.json) are not cotfaith's: they are left alone, with a note.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa

from cotfaith.cluster.storage.parts import read_part
from cotfaith.cluster.storage.row_fit import COMMIT, check_fit
from cotfaith.cluster.storage.store import CHECK_KEY, Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_folder import parse_commit, parse_run, parse_validation
from cotfaith.schemas.run_objects import CheckEntry, Commit, RunRecord
from cotfaith.schemas.tables import TABLES

_ORDER = ["model", "task", "strategy", "probe", "item_id", "chain_index", "position", "arm", "reader"]
_ITEM = ["model", "task", "item_id"]
UNIQUE = {
    "items": [*_ITEM, "_strategy"],  # written with the chains of each strategy
    "chains": [*_ITEM, "strategy", "chain_index"],
    "observations": [*_ITEM, "strategy", "probe", "chain_index", "arm", "reader"],
}
"""The columns that no two rows of a table share."""


def load_run(store: Store) -> RunRecord | None:
    """Return run.json, or None if no run has begun; raise ``RunFolderError`` if it is something else."""
    data = store.get(keys.RUN)
    return None if data is None else parse_run(data)


def load_checks(store: Store) -> list[CheckEntry]:
    """Return the checks of the run's last validation; none if there was none."""
    data = store.get(keys.VALIDATION)
    return [] if data is None else parse_validation(data)


def commits(store: Store) -> Iterator[Commit]:
    """Yield every commit marker, checked, in the order of their keys.

    Raises:
        RunFolderError: an object among the commits is not a commit, is a copy, or belongs to no shard of the run.

    """
    run = load_run(store)
    for key in objects(store, keys.COMMITS):
        data = store.get(key)
        if data is not None:
            commit = parse_commit(data, key)
            if run is not None:
                _check_in_run(commit, run, key)
            yield commit


def _check_in_run(commit: Commit, run: RunRecord, key: str) -> None:
    """Raise unless the commit is of a shard that the run can have: its shard size and numbers of items are fixed."""
    n, size, start = run.n_items.get(commit.task, 0), run.shard_size, commit.start
    if start % size or start >= n or commit.stop != min(start + size, n):
        raise RunFolderError(
            f"{key}: items {start} to {commit.stop} of {commit.task!r} are not a shard of this run, which has {n} "
            f"items in shards of {size}. Was {keys.RUN} changed by hand, or a file copied here? Move {key} out of the "
            f"folder, or restore {keys.RUN}."
        )
    if commit.model not in run.identity.models:
        known = ", ".join(run.identity.models)
        raise RunFolderError(
            f"{key}: the run has no model {commit.model!r}; it has {known}. Was a file copied here? Move {key} "
            "out of the folder."
        )


def committed_keys(store: Store) -> set[str]:
    """Return the keys of the commits, each checked."""
    return {commit.commit_key for commit in commits(store)}


def objects(store: Store, prefix: str) -> list[str]:
    """Return the keys below ``prefix`` that can be ours; warn of the others."""
    found = []
    for key in store.list(prefix):
        if key.endswith(".json") and not key.rpartition("/")[2].startswith("."):
            found.append(key)
        elif key != CHECK_KEY:
            warnings.warn(f"{key}: not written by cotfaith; it is left alone.", stacklevel=2)
    return found


def read_commit(store: Store, key: str) -> Commit:
    """Return the commit at ``key``; raise ``RunFolderError`` if it is missing or something else."""
    data = store.get(key)
    if data is None:
        raise RunFolderError(f"{key}: expected a commit, but there is none. Was the folder changed by hand? Run again.")
    return parse_commit(data, key)


def read_tables(store: Store) -> dict[str, pl.DataFrame]:
    """Return ``items``, ``chains`` and ``observations``: all committed rows, in a fixed order.

    Raises:
        RunFolderError: an object is damaged or not the run's, a row occurs twice, or rows do not fit together.

    """
    run = load_run(store)
    run_id = None if run is None else run.run_id
    parts: dict[str, list[pa.Table]] = {"items": [], "chains": [], "observations": []}
    sources: dict[str, list[Commit]] = {name: [] for name in parts}
    for commit in commits(store):
        for part in commit.parts:
            parts[part.table].append(read_part(store, part, commit, run_id))
            sources[part.table].append(commit)
    tables = {name: _in_order(_together(found, sources[name], name), name) for name, found in parts.items()}
    check_fit(tables)
    return {name: table.drop(COMMIT) for name, table in tables.items()}


def _together(found: list[pa.Table], sources: list[Commit], name: str) -> pl.DataFrame:
    """Return all rows of a table with the keys of their commits; no two of them may be the same row."""
    frame = pl.from_arrow(pa.concat_tables(found) if found else TABLES[name].empty_table())
    assert isinstance(frame, pl.DataFrame), f"{name} is one column"
    shards = [commit.commit_key for commit in sources]
    number = pl.Series("_commit", [i for i, part in enumerate(found) for _ in range(part.num_rows)], dtype=pl.Int64)
    strategy = [commit.strategy for commit in sources]
    marked = frame.with_columns(number).with_columns(
        _strategy=pl.col("_commit").replace_strict(dict(enumerate(strategy)), default=None, return_dtype=pl.String)
    )
    twice = marked.filter(pl.struct(UNIQUE[name]).is_duplicated())
    if len(twice):
        raise RunFolderError(_twice(twice, shards, name))
    named = pl.col("_commit").replace_strict(dict(enumerate(shards)), default=None, return_dtype=pl.String)
    return marked.with_columns(named.alias(COMMIT)).drop("_commit", "_strategy")


def _twice(rows: pl.DataFrame, shards: list[str], name: str) -> str:
    first = rows.head(1).select(UNIQUE[name]).to_dicts()[0]
    row = ", ".join(f"{column.lstrip('_')} {value!r}" for column, value in first.items() if value is not None)
    same = rows.filter(pl.all_horizontal(pl.col(c).eq_missing(v) for c, v in first.items()))
    where = sorted(Counter(shards[i] for i in same["_commit"].to_list()))
    return (
        f"{name}: the row {row} occurs {len(same)} times, in {' and '.join(where)}; {len(rows)} rows are in more "
        "than one place. Was the folder changed by hand? Move the commit that does not belong to this run out of it."
    )


def _in_order(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    if name == "items":
        content = [column for column in frame.columns if column not in ("schema_version", COMMIT)]
        alike = frame.select(_ITEM).is_duplicated() & ~frame.select(content).is_duplicated()
        if alike.any():
            other = frame.filter(alike)["item_id"][0]
            raise RunFolderError(
                f"items: {other!r} is not the same question under each strategy. Was the folder changed by hand? Begin "
                "a run in another folder."
            )
        frame = frame.unique(_ITEM, keep="any", maintain_order=True)
    return frame.sort([column for column in _ORDER if column in frame.columns], nulls_last=False)


def count_statuses(found: Iterable[Commit]) -> Counter[str]:
    """Return the rows of these commits by status."""
    counts: Counter[str] = Counter()
    for commit in found:
        counts.update(commit.statuses)
    return counts
