"""Paired answers -> a run's folder, which ``aggregate``, ``report``, ``show`` and ``verify`` read as any other.

In: answers, their files and the mapping. Out: parts and commits, through the writer that runs use, and at last
run.json, so that half an import is no run. Every shard has every piece, and every piece all items of its shard: what
the records do not have has no rows, and nothing is missing.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cotfaith.cluster.fleet.writer import Draft, Effort, Writer
from cotfaith.cluster.imports.paired.cells import SourceFile
from cotfaith.cluster.imports.paired.records import PairedAnswer, Recorded
from cotfaith.cluster.imports.paired.run_record import run_record
from cotfaith.cluster.imports.paired.shards import ItemShard, shards_of
from cotfaith.cluster.imports.paired.tables import (
    LABELS,
    STRATEGY,
    WITHOUT,
    RecordedChain,
    Row,
    indexed,
    item_row,
    without_chain_row,
)
from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.run_objects import PieceName, RunRecord
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of
from cotfaith.schemas.variants import PLAIN

OfItem = tuple[str, Row]
"""A row without its key, and its item's id."""


def write_folder(store: Store, found: Recorded, files: Sequence[SourceFile], mapping: Mapping[str, Any]) -> RunRecord:
    """Write the run.

    Raises:
        SpecError: the folder is not empty.

    """
    check_empty(store)
    tasks = shards_of(found.items)
    run, pieces = run_record(found, tasks, files, mapping), _Pieces.of(found)
    for (model, task), own in sorted(_by_place(found).items()):
        for shard in tasks[task]:
            writer = Writer(store, Shard(model, task, shard.start, shard.stop))
            _ShardCommits(writer, run.run_id, shard, own).write(pieces)
    if not store.put_if_absent(keys.RUN, run.as_json(2)):
        raise _not_empty(store, keys.RUN)
    return run


def check_empty(store: Store) -> None:
    """Raise ``SpecError`` if there is anything in the folder."""
    for key in store.list(""):
        raise _not_empty(store, key)


def _not_empty(store: Store, key: str) -> SpecError:
    return SpecError(f"--out {store.place('')}: this folder is not empty: it has {key}. Name another one.")


@dataclass
class _Answers:
    """A model's answers on one task."""

    chains: list[RecordedChain] = field(default_factory=list)
    without: list[PairedAnswer] = field(default_factory=list)


def _by_place(found: Recorded) -> dict[tuple[str, str], _Answers]:
    """Return model and task -> the answers."""
    places: defaultdict[tuple[str, str], _Answers] = defaultdict(_Answers)
    for chain in indexed(found.answers):
        places[chain.answer.model, chain.answer.item.task].chains.append(chain)
    for one in found.answers:
        if not one.with_chain:
            places[one.model, one.item.task].without.append(one)
    return places


@dataclass(frozen=True)
class _Pieces:
    """What the run has of each item."""

    chains: list[PieceName]
    without: list[PieceName]
    labels: dict[str, list[PieceName]]
    """By reader."""

    @classmethod
    def of(cls, found: Recorded) -> "_Pieces":
        """Return the pieces of all answers, each for plain items too: a run is done when it has that."""
        without, labelled = set[str](), defaultdict[str, set[str]](set)
        for one in found.answers:
            without |= set() if one.with_chain else {one.variant}
            for label in one.labels:
                labelled[label.judge.reader].add(one.variant)
        return cls(
            _pieces({one.variant for one in found.answers}),
            _pieces(without, WITHOUT) if without else [],
            {reader: _pieces(labelled[reader], LABELS, reader) for reader in sorted(labelled)},
        )


def _pieces(variants: set[str], probe: str | None = None, reader: str | None = None) -> list[PieceName]:
    return [PieceName(STRATEGY, name, probe, reader) for name in sorted(variants | {PLAIN})]


class _ShardCommits:
    """The commits of one shard: the chains, then the answers without, then each judge's labels."""

    def __init__(self, writer: Writer, run_id: str, shard: ItemShard, own: _Answers) -> None:
        ids = {item.id for item in shard.items}
        self._writer, self._run_id, self._shard = writer, run_id, shard
        self._chains = [one for one in own.chains if one.answer.item.id in ids]
        self._without = [one for one in own.without if one.item.id in ids]
        self._texts = [one.chain for one in self._chains]
        self._log = ShardLog()

    def write(self, pieces: _Pieces) -> None:
        """Write all of them."""
        rows = [(one.answer.item.id, one.row()) for one in self._chains]
        self._commit(pieces.chains, items=self._items(), chains=rows)
        if pieces.without:
            rows = [(one.item.id, without_chain_row(one)) for one in self._without]
            self._commit(pieces.without, observations=rows)
        labels = [(one.answer.item.id, *own) for one in self._chains for own in one.label_rows()]
        for reader, names in pieces.labels.items():
            self._commit(names, observations=[(item, row) for item, who, row in labels if who == reader])

    def _items(self) -> list[OfItem]:
        """Return the items that the model answered."""
        answered = {one.answer.item.id for one in self._chains} | {one.item.id for one in self._without}
        return [(item.id, item_row(item)) for item in self._shard.items if item.id in answered]

    def _commit(self, pieces: Sequence[PieceName], **rows: Sequence[OfItem]) -> None:
        shard = self._writer.shard
        head = {"schema_version": SCHEMA_VERSION, "run_id": self._run_id, "model": shard.model, "task": shard.task}
        tables: Any = {
            name: table_of(name, [head | {"item_id": item} | row for item, row in own]) for name, own in rows.items()
        }
        draft = Draft(
            items=[item.id for item in self._shard.items],
            pieces=pieces,
            tables=tables,
            chains=self._texts,
            effort=Effort(time.time(), 0.0, (), {}),
            max_tokens=None,
        )
        made = self._writer.commit(draft, self._log)
        if made is None:
            raise _not_empty(self._writer.store, keys.commit(shard.id, self._log.next_generation))
        self._log = ShardLog((*self._log.commits, made))
