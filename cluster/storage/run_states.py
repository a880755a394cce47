"""What is committed of a whole run: a few bytes for each shard, and no object.

In: a run's store and record, and the models and tasks that matter. Out: ``RunStates``: each shard's state, from the
ledger beside the commits where that still holds, else from its commits. A shard that is being worked on is read again
unless its worker says what it made. Knows nothing about jobs.

Shapes: N = shards of one model and task.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cotfaith.cluster.storage import segments
from cotfaith.cluster.storage.ledger import Shard, ShardLog, Wanted
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import commits_found, read_log
from cotfaith.cluster.storage.segments import Entry, LedgerWriter, entry_of, short
from cotfaith.cluster.storage.shard_index import Ints, ShardIndex
from cotfaith.cluster.storage.shard_state import NOTHING, Missing, ShardState, parse_state
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import RunRecord

Group = tuple[str, str]
"""Model and task."""
UNKNOWN = -1
"""The code of a shard whose commits are to be read."""
MOST_SEGMENTS = 4
"""The segments of a small run, before they become one; large ones have more."""
MOSTLY = 0.75
"""The share of entries that hold, below which segments are written anew."""
_NO_FOLDER, _UNSETTLED = 0, 1  # in place of tags
_READERS = 16
_AT_ONCE = 256
_MANY = 4096
_DIGITS = 7  # of the numbers in a folder's name, or more
_LONG = 38  # of two numbers of 64 bits, at most
Codes = npt.NDArray[np.int32]
Tags = npt.NDArray[np.uint64]


class _Shards:
    """The shards of one group."""

    def __init__(self, index: ShardIndex) -> None:
        n = len(index)
        self.index = index
        self.code_N: Codes = np.zeros(n, np.int32)
        self.commits_N: Codes = np.zeros(n, np.int32)
        self.busy_N: Codes = np.zeros(n, np.int32)
        """Items that were given to workers which have not said yet what is committed."""


class RunStates:
    """The states of the shards of some models and tasks. ``missing`` is what jobs are made from (``fleet/jobs``)."""

    def __init__(
        self, store: Store, run: RunRecord, groups: Iterable[Group], reads: Collection[tuple[str, str]] = ()
    ) -> None:
        self.store, self.run, self.reads = store, run, frozenset(reads)
        self.states: list[ShardState] = [NOTHING]
        self._codes = {NOTHING.text: 0}
        indices = {task: ShardIndex(found) for task, found in run.ranges.items()}
        self.of = {group: _Shards(indices.get(group[1], ShardIndex(()))) for group in groups}

    def n_shards(self, group: Group) -> int:
        """Return how many shards the model has of the task."""
        return len(self.of[group].code_N)

    def shard(self, group: Group, number: int) -> Shard:
        """Return a shard by its number."""
        return Shard(*group, *self.of[group].index.bounds(number))

    def counts(self, group: Group) -> Iterator[tuple[ShardState, int, int]]:
        """Yield each state that shards have, how many of them there are, and their items."""
        own = self.of[group]
        shards = np.bincount(own.code_N, minlength=len(self.states))
        items = np.bincount(own.code_N, own.index.sizes(), len(self.states))
        for code in np.flatnonzero(shards).tolist():
            yield self.states[code], int(shards[code]), int(items[code])

    def having(self, group: Group, chosen: Callable[[ShardState], bool]) -> Iterator[int]:
        """Yield the numbers of the shards that are worked on, or whose state is chosen when it is their turn."""
        own, known = self.of[group], dict[int, bool]()
        for at in range(0, len(own.code_N), _AT_ONCE):
            codes = np.unique(own.code_N[at : at + _AT_ONCE]).tolist()
            known |= {code: chosen(self.states[code]) for code in codes if code not in known}
            if not (own.busy_N[at : at + _AT_ONCE].any() or any(known[code] for code in codes)):
                continue
            for number in range(at, min(at + _AT_ONCE, len(own.code_N))):
                code = int(own.code_N[number])
                if code not in known:  # it has changed since
                    known[code] = chosen(self.states[code])
                if known[code] or own.busy_N[number]:
                    yield number

    def state(self, shard: Shard) -> ShardState:
        """Return the state that was last known."""
        own, number = self._place(shard)
        return self.states[int(own.code_N[number])]

    def missing(self, shard: Shard, items: Sequence[str], wanted: Wanted) -> Missing:
        """Return what ``ShardLog.missing`` returns for all items of the shard; its commits are read if they must be."""
        own, number = self._place(shard)
        found = None if own.busy_N[number] else self.states[int(own.code_N[number])].missing(items, wanted)
        return read_log(self.store, shard).missing(items, wanted) if found is None else found

    def given(self, shard: Shard, items: int) -> None:
        """Note that so many items of a shard are given to a worker."""
        own, number = self._place(shard)
        own.busy_N[number] += items

    def take(self, entry: Entry, items: int = 0) -> None:
        """Take a shard's entry, from a worker that was given so many items; it counts unless a newer one is known."""
        own, number = self._place(entry.shard)
        own.busy_N[number] = max(0, own.busy_N[number] - items)
        if entry.commits >= own.commits_N[number]:
            own.code_N[number], own.commits_N[number] = self._code(entry.state), entry.commits

    def renew(self, writer: LedgerWriter) -> None:
        """Read the commits of the shards whose workers have not said what they made."""
        for group, own in self.of.items():
            self._read(group, own.busy_N > 0, None, writer)
            own.busy_N[:] = 0

    def _place(self, shard: Shard) -> tuple[_Shards, int]:
        own = self.of[shard[:2]]
        number = own.index.number(shard.start, shard.stop)
        assert number is not None, f"{shard.id} is no shard of the run"
        return own, number

    def _code(self, text: str) -> int:
        """Return the number of a state, which is new if it was not seen before."""
        if text not in self._codes:
            state = parse_state(text)
            self._codes[text] = len(self.states)
            self.states.append(state)
        return self._codes[text]

    def _read(self, group: Group, chosen_N: Any, tag_N: Tags | None, writer: LedgerWriter) -> None:
        """Read the commits of the chosen shards; ``tag_N``: the tags of all, taken before."""
        numbers = np.flatnonzero(chosen_N)
        for at in range(0, len(numbers), _AT_ONCE):
            some = numbers[at : at + _AT_ONCE].tolist()
            shards = [self.shard(group, number) for number in some]
            for number, shard, log in zip(some, shards, _logs(self.store, shards), strict=True):
                tag = _UNSETTLED if tag_N is None else int(tag_N[number])
                entry = entry_of(shard, log, self.reads, tag if tag != _UNSETTLED else None)
                own = self.of[group]
                own.code_N[number], own.commits_N[number] = self._code(entry.state), entry.commits
                writer.add(entry)

    def load(self, writer: LedgerWriter) -> None:
        """Find the state of every shard. Entries of the ledger count if their folders have not changed since.

        Raises:
            RunFolderError: as for ``read_ledger``, for what is read.

        """
        check_folders(self.store, self.run)
        found = segments.segments(self.store)
        tags = {group: self._tags(group) for group in self.of}
        for group, own in self.of.items():
            own.code_N[:] = np.where(tags[group] == _NO_FOLDER, 0, UNKNOWN)
        kept = total = 0
        for table in segments.rows(self.store, self.run.run_id, found):
            total += len(table)
            kept += self._use(table, tags)
        if len(found) > MOST_SEGMENTS + kept // segments.SEGMENT_ROWS or kept < MOSTLY * total:
            segments.replace_with(self.store, self.run.run_id, found, self._valid(found, tags))
        for group, own in self.of.items():
            self._read(group, own.code_N == UNKNOWN, tags[group], writer)

    def _tags(self, group: Group) -> Tags:
        """Return the present tag of each shard's folder."""
        index = self.of[group].index
        prefix, found_N = f"{keys.COMMITS}{'/'.join(group)}/", np.zeros(len(index), np.uint64)
        folders = self.store.tagged_folders(prefix)
        while some := list(islice(folders, _MANY)):
            number_F = index.numbers(*_bounds([name for name, _ in some]))
            for place in np.flatnonzero(number_F < 0).tolist():
                _refuse(self.store, self.run, f"{prefix}{some[place][0]}/")
            tag_F = np.array([_UNSETTLED if tag is None else short(tag) for _, tag in some], np.uint64)
            found_N[number_F[number_F >= 0]] = tag_F[number_F >= 0]
        return found_N

    def _valid(self, found: Sequence[str], tags: Mapping[Group, Tags]) -> Iterator[pa.Table]:
        """Yield the rows of these segments that hold, each once."""
        seen = {group: np.zeros(len(own), bool) for group, own in tags.items()}
        for table in segments.rows(self.store, self.run.run_id, found):
            chosen = self._of_others(table)
            for group, rows_R, number_R in self._rows(table, tags):
                fresh_R = ~seen[group][number_R] & _first(number_R)
                chosen[rows_R[fresh_R]] = True
                seen[group][number_R] = True
            yield table.filter(pa.array(chosen))

    def _use(self, table: pa.Table, tags: Mapping[Group, Tags]) -> int:
        """Take the states of the rows that hold; return how many rows are of use, now or to a run of other models."""
        column = table.column("state").combine_chunks()
        codes = np.array([self._try_code(text) for text in column.dictionary.to_pylist()] or [UNKNOWN], np.int32)
        code_R, commits_R = codes[column.indices.to_numpy()], table.column("commits").to_numpy()
        used = int(self._of_others(table).sum())
        for group, rows_R, number_R in self._rows(table, tags):
            own = self.of[group]
            used += int(((own.code_N[number_R] == UNKNOWN) & _first(number_R)).sum())
            own.code_N[number_R], own.commits_N[number_R] = code_R[rows_R], commits_R[rows_R]
        return used

    def _try_code(self, text: Any) -> int:
        try:
            return self._code(text)
        except (ValueError, TypeError):
            return UNKNOWN

    def _rows(self, table: pa.Table, tags: Mapping[Group, Tags]) -> Iterator[tuple[Group, Any, Any]]:
        """Yield, for each group asked for, its rows whose tags are the present ones, and their shards' numbers."""
        start_R, stop_R, tag_R = (table.column(name).to_numpy() for name in ("start", "stop", "tag"))
        for group, rows_R in _groups(table):
            if group in self.of:
                number_R = self.of[group].index.numbers(start_R[rows_R], stop_R[rows_R])
                holds_R = (number_R >= 0) & (tags[group][number_R] == tag_R[rows_R])
                yield group, rows_R[holds_R], number_R[holds_R]

    def _of_others(self, table: pa.Table) -> Any:
        """Return which rows are of models or tasks that are not asked for: a later run may ask for them."""
        found = np.zeros(len(table), bool)
        for group, rows_R in _groups(table):
            found[rows_R] = group not in self.of
        return found


def _groups(table: pa.Table) -> Iterator[tuple[Group, Any]]:
    """Yield each model and task in the table, and its rows."""
    models, tasks = (table.column(name).combine_chunks() for name in ("model", "task"))
    n = max(1, len(tasks.dictionary))
    both_R = models.indices.to_numpy().astype(np.int64) * n + tasks.indices.to_numpy()
    for both in np.unique(both_R).tolist():
        yield (models.dictionary[both // n].as_py(), tasks.dictionary[both % n].as_py()), np.flatnonzero(both_R == both)


def _first(number_R: Any) -> Any:
    """Return which rows are the first of their number."""
    found = np.zeros(len(number_R), bool)
    found[np.unique(number_R, return_index=True)[1]] = True
    return found


def _bounds(names: Sequence[str]) -> tuple[Ints, Ints]:
    """Return the bounds of the shards with these folders; -1 for a folder of no shard."""
    found = [_pair(name) for name in names]
    return np.array([one[0] for one in found], np.int64), np.array([one[1] for one in found], np.int64)


def _pair(name: str) -> tuple[int, int]:
    start, _, stop = name.partition("-")
    digits = start.isdecimal() and stop.isdecimal() and name.isascii() and len(name) < _LONG
    is_short = len(start) == len(stop) == _DIGITS
    if not digits or not (is_short or name == f"{int(start):0{_DIGITS}d}-{int(stop):0{_DIGITS}d}"):
        return -1, -1
    return int(start), int(stop)


def _logs(store: Store, shards: Sequence[Shard]) -> Iterable[ShardLog]:
    """Return the logs of some shards; a bucket answers many at a time."""
    if isinstance(store, LocalStore):
        return (read_log(store, shard) for shard in shards)
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda shard: read_log(store, shard), shards))


def has_untouched(store: Store, run: RunRecord, groups: Iterable[Group]) -> bool:
    """Return whether a shard of a present run has no folder: soon seen where much is left, without reading a commit."""
    if run.schema_version < FIRST_PRESENT:
        return False
    prefixes = ((f"{keys.COMMITS}{'/'.join(group)}/", run.n_shards(group[1])) for group in groups)
    return any(sum(1 for _ in store.folders(prefix)) < shards for prefix, shards in prefixes)


def check_folders(store: Store, run: RunRecord) -> None:
    """Raise ``RunFolderError`` if there are commits of models or tasks that the run does not have."""
    for model in store.folders(keys.COMMITS):
        if model not in run.identity.models:
            _refuse(store, run, f"{keys.COMMITS}{model}/")
            continue
        for task in store.folders(f"{keys.COMMITS}{model}/"):
            if task not in run.ranges:
                _refuse(store, run, f"{keys.COMMITS}{model}/{task}/")


def _refuse(store: Store, run: RunRecord, prefix: str) -> None:
    """Raise what is wrong with the commits below a folder that no shard has; a folder without any is no fault."""
    for key, found in commits_found(store, run, prefix):
        if isinstance(found, RunFolderError):
            raise found
        raise RunFolderError(f"{key}: no shard of the run has this key. Move it out of the folder.")
