"""Writes one attempt's tables and their commit.

In: a draft: tables, their items and pieces, and their effort. Out: the commit, or None if another attempt committed the
same before. Data is written first, under keys of its own. The commit is written last, at the next generation of the
shard's log, and only if nothing is there. An attempt that loses leaves orphans that no reader sees.
"""

import hashlib
import io
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.read import read_log
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.records import Chain
from cotfaith.schemas.run_objects import ChainTexts, Commit, Part, Piece, PieceName, TableName
from cotfaith.schemas.status import Status

CUT = ("length", "forced")
"""How chains end that the limit of tokens cut."""
Tables = Mapping[TableName, pa.Table]
"""Tables by name."""
_HASH = 16  # hex digits
_Row = tuple[str, str, str | None]
_IsCut = Callable[[Mapping[str, Any], int | None], bool]


@dataclass(frozen=True)
class Effort:
    """The time and tokens of one part of a shard's work. Probes that ran in common rounds share one."""

    began: float
    """Seconds since the epoch, by the clock of the machine that did it."""
    seconds: float
    timed_with: Sequence[str]
    """The probes that shared this effort; empty for chains."""
    tokens: Mapping[str, int]
    """Role -> its engine's prompt tokens, each prompt counted whole, and generated tokens."""


@dataclass(frozen=True)
class Draft:
    """What an attempt wants to commit."""

    items: Sequence[str]
    """Ids; the tables hold all rows of these items for each of the pieces."""
    pieces: Sequence[PieceName]
    tables: Tables
    chains: Sequence[Chain]
    """The chains that it made, or that its rows rest on."""
    effort: Effort
    max_tokens: int | None


@dataclass(frozen=True)
class Writer:
    """Writes to the log of one shard."""

    store: Store
    shard: Shard

    def commit(self, draft: Draft, seen: ShardLog) -> Commit | None:
        """Write the draft and its commit; None if another one has been committed in its place.

        ``seen`` is the shard's log from which the attempt saw what is missing.

        Raises:
            StoreError: the store cannot be written, or something that cannot be read has the next commit's key.

        """
        attempt = uuid.uuid4().hex[:12]
        parts = [self._put(name, table, attempt) for name, table in draft.tables.items()]
        log = seen
        while True:
            commit = self._commit(draft, parts, attempt, log.next_generation)
            if self.store.put_if_absent(commit.key, commit.as_json(indent=None)):
                return commit
            log = read_log(self.store, self.shard)
            if log.next_generation <= commit.generation:
                raise StoreError(f"{self.store.place(commit.key)}: this is there, and is not an object. Remove it.")
            if any(_is_in_the_way(one, draft) for one in log.commits if one.generation >= seen.next_generation):
                return None

    def _commit(self, draft: Draft, parts: list[Part], attempt: str, generation: int) -> Commit:
        shard, effort = self.shard, draft.effort
        return Commit(
            key=keys.commit(shard.id, generation),
            model=shard.model,
            task=shard.task,
            start=shard.start,
            stop=shard.stop,
            generation=generation,
            attempt=attempt,
            items=list(draft.items),
            pieces=_pieces(draft),
            texts=_texts(draft),
            parts=parts,
            max_tokens=draft.max_tokens,
            began=effort.began,
            seconds=effort.seconds,
            timed_with=list(effort.timed_with),
            tokens=dict(effort.tokens),
        ).sealed()

    def _put(self, name: TableName, table: pa.Table, attempt: str) -> Part:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        key = keys.part(name, self.shard.id, attempt)
        self.store.put(key, data)
        return Part(table=name, key=key, rows=table.num_rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _is_in_the_way(other: Commit, draft: Draft) -> bool:
    """Return whether a later commit has rows of the draft, or new chains under its rows."""
    if not set(draft.items) & set(other.items):
        return False
    taken = {piece.name for piece in other.pieces}
    return any(piece in taken or piece.chains in taken for piece in draft.pieces)


def chain_hash(chain: Chain) -> str:
    """Return a hash of what probes see of a chain: text, steps, answer, status and length."""
    seen = [chain.text, list(chain.steps), chain.answer.value, chain.status.value, chain.n_tokens]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=True).encode()).hexdigest()[:_HASH]


def _texts(draft: Draft) -> list[ChainTexts]:
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for piece in draft.pieces:
        found.setdefault(piece[:2], {item: [] for item in draft.items})
    for chain in sorted(draft.chains, key=lambda one: one.index):
        if chain.item_id in (of_item := found.get((chain.strategy, chain.variant), {})):
            of_item[chain.item_id].append(chain_hash(chain))
    return [ChainTexts(strategy=s, variant=v, hashes=list(texts.values())) for (s, v), texts in found.items()]


def _pieces(draft: Draft) -> list[Piece]:
    """Return the pieces with each item's rows by status."""
    place = {item: at for at, item in enumerate(draft.items)}
    counts: dict[PieceName, defaultdict[str, list[int]]] = {}
    cut: defaultdict[PieceName, set[int]] = defaultdict(set)
    for piece in draft.pieces:
        counts[piece] = defaultdict(lambda: [0] * len(place))
    named = {piece[:3]: piece for piece in draft.pieces}  # all have the same reader
    for row, item, status, is_cut in _rows(draft):
        piece = named[row]
        counts[piece][status][place[item]] += 1
        if is_cut:
            cut[piece].add(place[item])
    return [
        Piece(
            strategy=piece.strategy,
            variant=piece.variant,
            probe=piece.probe,
            reader=piece.reader,
            statuses=dict(by_status),
            cut=sorted(cut[piece]),
        )
        for piece, by_status in counts.items()
    ]


def _rows(draft: Draft) -> Iterable[tuple[_Row, str, str, bool]]:
    """Yield each row's strategy, variant and probe, item id, status, and whether the limit of tokens cut its text."""
    checks: dict[TableName, _IsCut] = {"chains": _is_cut_chain, "observations": _is_cut_text}
    for name, table in draft.tables.items():
        if (is_cut := checks.get(name)) is not None:
            columns = ["strategy", "variant", "probe", "item_id", "status", "finish_reason", "n_tokens"]
            for row in table.select([column for column in columns if column in table.column_names]).to_pylist():
                piece = (row["strategy"], row["variant"], row.get("probe"))
                yield piece, row["item_id"], row["status"], is_cut(row, draft.max_tokens)


def _is_cut_chain(row: Mapping[str, Any], limit: int | None) -> bool:
    return row["finish_reason"] in CUT


def _is_cut_text(row: Mapping[str, Any], limit: int | None) -> bool:
    """Return whether a probe's own text may have been cut: with budget forcing only its length shows that."""
    return row["status"] == Status.TRUNCATED or (limit is not None and (row["n_tokens"] or 0) >= limit)
