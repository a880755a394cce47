"""The prefix tree: many token sequences laid out so that forward passes compute each distinct prefix once.

In: whole sequences of token ids, and what is known of each: the slots of its first tokens, whose keys and values are
kept from earlier calls (``key_values``). Out: passes over a trie's nodes in depth-first order, each within a budget. A
sequence's last token is always computed, since its logits are wanted; one that is known whole, with its state, need not
be among them. From the pass before, a pass needs only the nodes
on the path to the cut. A pass's columns are those, its past; then the kept nodes that it uses; then its own nodes:

    tokens_T      the nodes' token ids
    positions_T   their depths, which are the position ids
    rank_C        per column, its place in depth-first order
    end_C         per column, one past the last place of its subtree

Node i represents the prefix spelled by the path from a root to it. Its ancestors and itself are exactly the columns j
with ``rank_C[j] <= rank_C[i] < end_C[j]``. Token i may attend to these, or, with a sliding window or in chunks, to
the deepest of them. Knows nothing about models, prompts, candidates or torch.

T = nodes of a pass, P = its past, S = kept nodes, C = P + S + T; B = nodes of a block, K = columns that any of them may
attend to.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotfaith.workers.engines.transformers.radix import NO_IDS, Ids, shared_length

MOST_KEPT = 4
"""A pass with this many times its budget of kept nodes ends: they take memory too."""


class Reach(NamedTuple):
    """How far back a token attends: to all before it, to the newest ``window``, or to its own ``chunk`` of as many."""

    window: int | None = None
    chunk: int | None = None


@dataclass(frozen=True)
class TreePass:
    """One forward pass: a piece of a trie, and the places of the sequences that end in it."""

    past_P: Ids  # noqa: N815
    """Columns of the previous pass that this pass continues from, in order of depth; none: it begins a trie."""
    kept_S: Ids  # noqa: N815
    """Slots of the kept nodes."""
    tokens_T: Ids  # noqa: N815
    positions_T: Ids  # noqa: N815
    depth_C: Ids  # noqa: N815
    rank_C: Ids  # noqa: N815
    end_C: Ids  # noqa: N815
    nodes: dict[int, Ids]
    """Index of a sequence (in the list that was packed) -> the column of each of its tokens."""
    ids: dict[int, Ids]
    """Index of a sequence -> its tokens."""
    cut: Ids
    """The columns of the path that the pass ends on."""
    cut_ids: Ids
    """Its tokens."""

    def __len__(self) -> int:
        return len(self.tokens_T)

    @property
    def before(self) -> int:
        """The number of columns before the pass's own nodes."""
        return len(self.past_P) + len(self.kept_S)

    def first_T(self, reach: "Reach") -> Ids:  # noqa: N802
        """Return the smallest depth that each node may attend to."""
        if reach.window is not None:
            return self.positions_T - reach.window + 1
        if reach.chunk is not None:
            return self.positions_T // reach.chunk * reach.chunk
        return np.zeros_like(self.positions_T)

    def blocks(self, size: int, reach: "Reach" = Reach()) -> Iterator["Block"]:  # noqa: B008
        """Split the nodes, in order, into blocks of at most ``size``, and with at most as many kept nodes among them.

        Of the columns before a block, its nodes may attend only to the path to its first node a: an ancestor j of one
        of its nodes i has ``rank_C[j] <= rank_C[i] < end_C[j]``, and if j is before a, it is also an ancestor of a.
        """
        first_T, rank_T = self.first_T(reach), self.rank_C[self.before :]
        start = 0
        while start < len(self):
            near = int(np.searchsorted(rank_T, rank_T[start] + 2 * size))
            stop = min(start + size, near, len(self))
            rank_B, first_B = rank_T[start:stop], first_T[start:stop]
            column_K = np.flatnonzero((self.rank_C <= rank_B[-1]) & (self.end_C > rank_B[0]))
            column_K = column_K[self.depth_C[column_K] >= first_B.min()]
            path_BK = (self.rank_C[column_K] <= rank_B[:, None]) & (rank_B[:, None] < self.end_C[column_K])
            yield Block(start, stop, column_K, path_BK & (self.depth_C[column_K] >= first_B[:, None]))
            start = stop


@dataclass(frozen=True)
class Block:
    """Consecutive nodes of a pass, from ``start`` to before ``stop``, and the columns that they may attend to."""

    start: int
    stop: int
    column_K: Ids  # noqa: N815
    seen_BK: NDArray[np.bool_]  # noqa: N815


def distinct_tokens(sequences: Sequence[Sequence[int]]) -> int:
    """Count the distinct prefixes, which are the nodes of one trie over all sequences."""
    return sum(len(new) for new in _sorted(sequences).fresh())


class Work(NamedTuple):
    """Positions of some passes."""

    computed: int = 0
    reused: int = 0
    """Taken from what was kept of earlier calls."""

    def __add__(self, other: "Work") -> "Work":  # type: ignore[override]
        """Return the work of both."""
        return Work(self.computed + other.computed, self.reused + other.reused)


def work(passes: Sequence[TreePass], known: Iterable[Ids] = ()) -> Work:
    """Return the work of all passes; ``known``: the slots of sequences that need none. A slot counts once."""
    used = np.unique(np.concatenate([NO_IDS, *known, *(tree.kept_S for tree in passes)]))
    return Work(sum(map(len, passes)), len(used))


def nothing(ids: Ids) -> Ids:
    """Return the slots of a sequence of which nothing is kept."""
    return NO_IDS


def pack(
    sequences: Sequence[Sequence[int]], token_budget: int, match: Callable[[Ids], Ids] = nothing
) -> list[TreePass]:
    """Lay out all sequences in passes of at most ``token_budget`` nodes; no prefix is computed twice.

    ``match``: a sequence -> the slots of its first tokens that are kept. Of two sequences, what is kept of the tokens
    that they share must be the same.

    A full pass ends, even in the middle of a sequence. A pass with a sixteenth of the budget also ends before a
    sequence that shares less than half of its tokens with the one before: computing trees together that share little
    gains nothing, and on a CPU one large pass is slower than several small ones.
    """
    ordered = _sorted(sequences)
    builder = _Builder(token_budget)
    for index, ids, shared in zip(ordered.indices, ordered.ids, ordered.shared, strict=True):
        builder.add(index, ids, shared, match(ids)[: len(ids) - 1])
    return builder.finish()


@dataclass(frozen=True)
class _Sorted:
    indices: list[int]
    ids: list[Ids]
    shared: list[int]
    """The number of tokens that each sequence shares with the one before it."""

    def fresh(self) -> list[Ids]:
        return [ids[shared:] for ids, shared in zip(self.ids, self.shared, strict=True)]


def _sorted(sequences: Sequence[Sequence[int]]) -> _Sorted:
    """Sort lexicographically, so that new prefixes appear in the trie's depth-first order."""
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    # Big-endian bytes compare like the ids, but with memcmp instead of int by int.
    keys = [ids.astype(">u8").tobytes() for ids in arrays]
    indices = sorted(range(len(keys)), key=keys.__getitem__)
    ids = [arrays[i] for i in indices]
    shared = [shared_length(before, after) for before, after in pairwise(ids)]
    return _Sorted(indices, ids, [0, *shared] if ids else [])


@dataclass
class _Builder:
    """A builder that appends sorted sequences to a trie and cuts it into passes.

    Its own places are ranks, which a cut turns into columns. ``path``: the newest path's ranks.
    """

    budget: int
    passes: list[TreePass] = field(default_factory=list)
    path: Ids = field(default_factory=NO_IDS.copy)
    path_ids: Ids = field(default_factory=NO_IDS.copy)
    past: Ids = field(default_factory=NO_IDS.copy)
    tokens: list[Ids] = field(default_factory=list)
    positions: list[Ids] = field(default_factory=list)
    slots: list[Ids] = field(default_factory=list)
    depths: list[Ids] = field(default_factory=list)
    own: list[NDArray[np.bool_]] = field(default_factory=list)
    closed: list[tuple[Ids, int]] = field(default_factory=list)
    nodes: dict[int, Ids] = field(default_factory=dict)
    ids: dict[int, Ids] = field(default_factory=dict)
    size: int = 0
    """Nodes of the pass."""
    kept: int = 0
    """Kept nodes that it uses."""

    @property
    def ranks(self) -> int:
        """How many ranks are given out."""
        return len(self.past) + self.kept + self.size

    def add(self, index: int, ids: Ids, shared: int, slots: Ids) -> None:
        self.closed.append((self.path[shared:], self.ranks))
        unrelated = 2 * shared < len(ids) and self.size >= self.budget // 16
        full = self.kept + len(slots) - shared > MOST_KEPT * self.budget
        self._shorten(shared)
        if self.size and (unrelated or full) and shared < len(ids):
            self._cut()
        while len(self.path) < len(ids):
            if self.size == self.budget:
                self._cut()
            self.path_ids = ids
            self._extend(ids, slots)
        self.nodes[index], self.ids[index] = self.path, ids

    def finish(self) -> list[TreePass]:
        if self.size or self.nodes:
            self._cut()
        return self.passes

    def _shorten(self, shared: int) -> None:
        self.path, self.path_ids = self.path[:shared], self.path_ids[:shared]

    def _extend(self, ids: Ids, slots: Ids) -> None:
        """Append the sequence's next kept nodes, or as many new ones as fit."""
        depth, first = len(self.path), self.ranks
        if depth < len(slots):
            count = len(slots) - depth
            self.slots.append(slots[depth:])
            self.kept += count
        else:
            count = min(len(ids) - depth, self.budget - self.size)
            self.tokens.append(ids[depth : depth + count])
            self.positions.append(np.arange(depth, depth + count))
            self.size += count
        self.own.append(np.full(count, depth >= len(slots)))
        self.depths.append(np.arange(depth, depth + count))
        self.path = np.concatenate([self.path, np.arange(first, first + count)])

    def _cut(self) -> None:
        """End the pass; the next one continues from the path."""
        past, ranks = len(self.past), self.ranks
        end_R = np.full(ranks, ranks)
        for nodes, end in self.closed:
            end_R[nodes] = end
        own_R = np.concatenate([np.zeros(past, dtype=bool), *self.own])
        rank_C = np.argsort(own_R, kind="stable")  # the past and the kept nodes first
        column_R = np.argsort(rank_C)
        depth_R = np.concatenate([np.arange(past), *self.depths])
        tree = TreePass(
            self.past,
            np.concatenate([NO_IDS, *self.slots]),
            np.concatenate(self.tokens),
            np.concatenate(self.positions),
            depth_R[rank_C],
            rank_C,
            end_R[rank_C],
            {index: column_R[nodes] for index, nodes in self.nodes.items()},
            self.ids,
            column_R[self.path],
            self.path_ids[: len(self.path)],
        )
        self.passes.append(tree)
        self.past, self.path = tree.cut, np.arange(len(self.path))
        self.tokens, self.positions, self.slots, self.depths, self.own = [], [], [], [], []
        self.closed, self.nodes, self.ids, self.size, self.kept = [], {}, {}, 0, 0
