"""What is committed, shard by shard, and what is missing of what a run wants.

In: commits. Out: for each shard a ``ShardLog``: which commit holds the rows of each piece and item. An item's rows of a
piece are those of its highest generation. Rows of a probe count only as long as the chains that they rest on are the
current ones: a commit names a hash of each chain. Reads and writes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import Commit, PieceName
from cotfaith.schemas.status import Status


class Shard(NamedTuple):
    """A range of items of one task for one model: the unit of scheduling, commit and retry."""

    model: str
    task: str
    start: int
    stop: int

    @property
    def id(self) -> str:
        """Its name in keys."""
        return keys.shard_id(*self)


class Held(NamedTuple):
    """A piece of one item in a commit."""

    commit: Commit
    place: int
    """The item's place among the commit's items."""

    def is_whole(self, without: Set[str]) -> bool:
        """Return whether none of the commit's parts is in ``without``."""
        return without.isdisjoint(part.key for part in self.commit.parts)

    def texts(self, piece: PieceName) -> list[str]:
        """Return the hashes of the chains that the commit made or rests on."""
        return _texts(self.commit, piece)[self.place]

    def statuses(self, piece: PieceName) -> dict[str, int]:
        """Return the item's rows by status."""
        own = next(one for one in self.commit.pieces if one.name == piece)
        return {status: counts[self.place] for status, counts in own.statuses.items() if counts[self.place]}

    def is_cut(self, piece: PieceName) -> bool:
        """Return whether the limit of tokens cut one of the item's texts."""
        return any(one.name == piece and self.place in one.cut for one in self.commit.pieces)


def _texts(commit: Commit, piece: PieceName) -> list[list[str]]:
    """Return, for each item, the hashes of the chains that the commit made or rests on."""
    found = (one.hashes for one in commit.texts if (one.strategy, one.variant) == piece[:2])
    return next(found, [[]] * len(commit.items))


def _rests_on(chains: Commit | None, commit: Commit, piece: PieceName) -> bool:
    """Return whether all of a commit's items have the chains in ``chains`` that its rows rest on."""
    if chains is commit:
        return True
    return chains is not None and chains.items == commit.items and _texts(chains, piece) == _texts(commit, piece)


@dataclass(frozen=True)
class Wanted:
    """What a run wants of each item."""

    pieces: frozenset[PieceName]
    max_tokens: int | None = None
    """Texts that a smaller limit cut are wanted anew; null: they are not."""
    quarantined: bool = False
    """Whether items that were quarantined are wanted anew."""
    without: frozenset[str] = frozenset()
    """Keys of parts that are damaged: what they hold is wanted anew."""
    reads: frozenset[tuple[str, str]] = frozenset()
    """(probe, the subject's probe whose rows it reads): it waits for them, and is wanted anew if they are newer."""

    def read_by(self, piece: PieceName) -> PieceName | None:
        """Return the piece of the subject's probe that a piece reads; None: only chains."""
        found = next((read for probe, read in self.reads if probe == piece.probe), None)
        return None if found is None else PieceName(piece.strategy, piece.variant, found)


@dataclass(frozen=True)
class ShardLog:
    """The commits of one shard, in the order of their generations."""

    commits: tuple[Commit, ...] = ()

    @property
    def next_generation(self) -> int:
        """The generation of the next commit."""
        return self.commits[-1].generation + 1 if self.commits else 0

    @cached_property
    def pieces(self) -> tuple[PieceName, ...]:
        """All pieces that were ever committed; chains come before the probes on them."""
        return tuple(dict.fromkeys(piece.name for commit in self.commits for piece in commit.pieces))

    @cached_property
    def counts_whole(self) -> bool:
        """Whether every committed row counts, which is quickly seen if no piece was committed twice."""
        names = [piece.name for commit in self.commits for piece in commit.pieces]
        made = {piece.name: commit for commit in self.commits for piece in commit.pieces}
        return len(names) == len(made) and all(_rests_on(made.get(name.chains), made[name], name) for name in names)

    def held(self, piece: PieceName, without: Set[str] = frozenset()) -> dict[str, Held]:
        """Return item id -> the commit with its rows; items whose commit has a part in ``without`` are left out.

        Rows that an earlier commit has do not take their place: it may be damaged too, and readers do not look there.
        """
        chains = self.held(piece.chains, without) if piece.probe is not None else {}
        found = self._held(piece, chains)
        return {item: one for item, one in found.items() if one.is_whole(without)} if without else found

    def _held(self, piece: PieceName, chains: Mapping[str, Held]) -> dict[str, Held]:
        texts = {id(commit): _texts(commit, piece) for commit in self.commits}
        found: dict[str, Held] = {}
        for commit in self.commits:
            if any(one.name == piece for one in commit.pieces):
                own = texts[id(commit)]
                for place, item in enumerate(commit.items):
                    on = chains.get(item)
                    if piece.probe is None or (on is not None and own[place] == texts[id(on.commit)][on.place]):
                        found[item] = Held(commit, place)
        return found

    @cached_property
    def live(self) -> dict[PieceName, dict[str, Held]]:
        """Piece -> item id -> the commit with its rows."""
        found = {piece: self.held(piece) for piece in self.pieces if piece.probe is None}
        return {
            piece: found[piece] if piece.probe is None else self._held(piece, found.get(piece.chains, {}))
            for piece in self.pieces
        }

    def statuses(self, piece: PieceName) -> Counter[str]:
        """Return the piece's rows by status."""
        counts: Counter[str] = Counter()
        for one in self.live.get(piece, {}).values():
            counts.update(one.statuses(piece))
        return counts

    def missing(self, items: Sequence[str], wanted: Wanted) -> dict[PieceName, tuple[str, ...]]:
        """Return piece -> the items whose rows are missing, or wanted anew; pieces that lack nothing are left out.

        Probes on an item wait for its chains, and for the rows that they read: they are missing once those are there.
        """
        found = {}
        for piece in sorted(wanted.pieces, key=_order):
            held = self.held(piece, wanted.without)
            ready = items if piece.probe is None else self.held(piece.chains, wanted.without)
            lacking = [item for item in items if item not in held or _wanted_anew(held[item], piece, wanted)]
            if (on := wanted.read_by(piece)) is not None:
                ready = self.held(on, wanted.without)
                lacking = [item for item in items if item in lacking or _is_newer(ready.get(item), held[item])]
            if chosen := tuple(item for item in lacking if item in ready):
                found[piece] = chosen
        return found


def _order(piece: PieceName) -> tuple[str, ...]:
    return tuple(name or "" for name in piece)


def _wanted_anew(one: Held, piece: PieceName, wanted: Wanted) -> bool:
    if wanted.quarantined and Status.QUARANTINED in one.statuses(piece):
        return True
    limit = one.commit.max_tokens
    return wanted.max_tokens is not None and limit is not None and limit < wanted.max_tokens and one.is_cut(piece)


def _is_newer(read: Held | None, held: Held) -> bool:
    return read is not None and read.commit.generation > held.commit.generation


@dataclass(frozen=True)
class Ledger:
    """All commits of a run."""

    logs: Mapping[Shard, ShardLog] = field(default_factory=dict)

    def log(self, key: Shard) -> ShardLog:
        """Return a shard's log; an empty one if nothing is committed."""
        return self.logs.get(key, ShardLog())

    def missing(self, key: Shard, items: Sequence[str], wanted: Wanted) -> Mapping[PieceName, tuple[str, ...]]:
        """Return what ``ShardLog.missing`` returns of a shard."""
        return self.log(key).missing(items, wanted)

    def commits(self) -> Iterator[Commit]:
        """Yield every commit."""
        for log in self.logs.values():
            yield from log.commits

    def statuses(self, readers: bool | None = None) -> Counter[str]:
        """Return the run's rows by status: all of them, or only those of readers, or of subjects."""
        counts: Counter[str] = Counter()
        for log in self.logs.values():
            for piece in log.pieces:
                if readers is None or readers == (piece.reader is not None):
                    counts.update(log.statuses(piece))
        return counts


def ledger_of(found: Iterable[Commit]) -> Ledger:
    """Sort commits into the logs of their shards."""
    shards: defaultdict[Shard, list[Commit]] = defaultdict(list)
    for commit in found:
        shards[Shard(commit.model, commit.task, commit.start, commit.stop)].append(commit)
    return Ledger({key: log_of(own) for key, own in sorted(shards.items())})


def log_of(found: Iterable[Commit]) -> ShardLog:
    """Return the log of one shard's commits."""
    return ShardLog(tuple(sorted(found, key=lambda commit: commit.generation)))
