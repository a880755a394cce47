"""What the commits of one shard amount to, in a few words: which pieces all items have, which only some have.

In: a ``ShardLog``. Out: a ``ShardState``, which says what is missing as the log does, or that it does not know. A run
has few distinct states, so one object can stand for many shards. Reads and writes nothing.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from cotfaith.cluster.storage.ledger import Held, ShardLog, Wanted
from cotfaith.schemas.run_objects import PieceName
from cotfaith.schemas.status import Status

Missing = Mapping[PieceName, tuple[str, ...]]
"""Piece -> the items that lack it."""


class PieceState(NamedTuple):
    """What is committed of one piece. A piece that no item has has none."""

    complete: bool
    """Whether all items of the shard have it."""
    follows: str | None = None
    """The subject's probe whose rows it reads, if no item's rows of that are newer."""
    cut_below: int | None = None
    """The smallest limit of tokens that cut one of its texts."""
    quarantined: bool = False
    """Whether an item has rows that say so."""


@dataclass(frozen=True)
class ShardState:
    """The pieces of one shard."""

    pieces: Mapping[PieceName, PieceState]

    def missing(self, items: Sequence[str], wanted: Wanted) -> Missing | None:
        """Return what ``ShardLog.missing`` returns for all ``items`` of the shard; None: only the log knows."""
        if wanted.without:
            return None
        found: dict[PieceName, tuple[str, ...]] = {}
        for piece in wanted.pieces:
            lacking = self._lacking(piece, wanted)
            if lacking is None:
                return None
            if lacking:
                found[piece] = tuple(items)
        return found

    def has_work(self, wanted: Wanted) -> bool:
        """Return whether something is missing, or may be."""
        return self.missing(("",), wanted) != {}

    def may_lack(self, wanted: Wanted) -> frozenset[PieceName]:
        """Return the pieces that items lack, or may lack, with those whose chains they may lack."""
        missing = self.missing(("",), wanted)
        if missing is None:
            settled = {piece for piece in self.pieces if not wanted.without and self._lacking(piece, wanted) is False}
            missing = dict.fromkeys(wanted.pieces - settled, ())
        return frozenset(piece for piece in wanted.pieces if piece in missing or piece.chains in missing)

    def is_complete(self, pieces: Collection[PieceName]) -> bool:
        """Return whether all items have all these pieces, however they were made."""
        return all(piece in self.pieces and self.pieces[piece].complete for piece in pieces)

    def _lacking(self, piece: PieceName, wanted: Wanted) -> bool | None:
        """Return whether all items lack the piece and can get it now, or none lacks it; None if it may be some."""
        own, on = self.pieces.get(piece), wanted.read_by(piece)
        if own is not None:
            renewed = _is_wanted_anew(own, wanted) or (on is not None and own.follows != on.probe)
            return False if own.complete and not renewed else None
        if piece.probe is None:
            return True
        under = self.pieces.get(piece.chains if on is None else on)
        if under is None:
            return False  # it waits
        return True if under.complete else None

    @cached_property
    def text(self) -> str:
        """The state as JSON, the same for equal states."""
        rows = sorted(([*piece, *own] for piece, own in self.pieces.items()), key=lambda row: json.dumps(row))
        return json.dumps(rows, separators=(",", ":"))


NOTHING = ShardState({})
"""Of a shard without commits."""


def _is_wanted_anew(own: PieceState, wanted: Wanted) -> bool:
    cut = None not in (own.cut_below, wanted.max_tokens) and (own.cut_below or 0) < (wanted.max_tokens or 0)
    return cut or (wanted.quarantined and own.quarantined)


def state_of(log: ShardLog, items: int, reads: Collection[tuple[str, str]] = ()) -> ShardState:
    """Return the state of a shard of so many items; ``reads`` is as in ``Wanted``."""
    wanted = Wanted(frozenset(), reads=frozenset(reads))
    return ShardState({piece: _piece_state(log, piece, items, wanted) for piece in log.pieces if log.live[piece]})


def _piece_state(log: ShardLog, piece: PieceName, items: int, wanted: Wanted) -> PieceState:
    held, on = log.live[piece], wanted.read_by(piece)
    return PieceState(
        complete=len(held) == items,
        follows=None if on is None or _is_older(held, log.live.get(on, {})) else on.probe,
        cut_below=min((one.commit.max_tokens for one in _cut(held, piece) if one.commit.max_tokens), default=None),
        quarantined=any(Status.QUARANTINED in one.statuses(piece) for one in held.values() if _may_be(one, piece)),
    )


def _is_older(held: Mapping[str, Held], read: Mapping[str, Held]) -> bool:
    """Return whether an item's rows are older than those that they read."""
    return any(item in read and read[item].commit.generation > one.commit.generation for item, one in held.items())


def _cut(held: Mapping[str, Held], piece: PieceName) -> Iterator[Held]:
    return (one for one in held.values() if one.is_cut(piece))


def _may_be(one: Held, piece: PieceName) -> bool:
    return any(own.name == piece and Status.QUARANTINED in own.statuses for own in one.commit.pieces)


def parse_state(text: str) -> ShardState:
    """Return the state of its ``text``.

    Raises:
        ValueError: it is something else.

    """
    rows = json.loads(text)
    if not isinstance(rows, list):
        raise ValueError("a state is a list of pieces")
    return ShardState(dict(_piece(row) for row in rows))


def _piece(row: Any) -> tuple[PieceName, PieceState]:
    kinds = (str, str, str | None, str | None, bool, str | None, int | None, bool)
    if not isinstance(row, list) or len(row) != len(kinds):
        raise ValueError("a piece has a name of four parts, and four facts")
    if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
        raise ValueError("a piece has a value of the wrong kind")
    return PieceName(*row[:4]), PieceState(*row[4:])


def rows_by_status(log: ShardLog) -> tuple[Counter[str], Counter[str]]:
    """Return the shard's rows that count by status: those of the subject, and those of readers."""
    found: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for piece in log.pieces:
        found[piece.reader is not None].update(_statuses(log, piece))
    return found


def _statuses(log: ShardLog, piece: PieceName) -> Counter[str]:
    if not log.counts_whole:
        return log.statuses(piece)
    own = next(one for commit in log.commits for one in commit.pieces if one.name == piece)
    return +Counter({status: sum(counts) for status, counts in own.statuses.items()})
