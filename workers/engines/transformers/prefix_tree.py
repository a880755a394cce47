"""The prefix tree: many token sequences laid out so that forward passes compute each distinct prefix once.

In: whole sequences of token ids. Out: passes over a trie's nodes in depth-first order, each within a budget. From the
pass before, a pass needs only the nodes on the path to the cut. They are its past, whose keys and values are kept. A
pass's columns are its past, then its own nodes:

    tokens_T      the nodes' token ids
    positions_T   their depths, which are the position ids
    end_C         per column, one past the last column of its subtree

Node i represents the prefix spelled by the path from a root to it. Its ancestors and itself are exactly the columns j
with ``j <= past + i < end_C[j]``. Token i may attend to these, or, with a sliding window, to the deepest of them. Knows
nothing about models, prompts, candidates or torch.

T = nodes of a pass, P = its past, C = P + T; B = nodes of a block, K = columns that any of them may attend to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class TreePass:
    """One forward pass: a piece of a trie, and the places of the sequences that end in it."""

    past_P: Ids  # noqa: N815
    """Columns of the previous pass that this pass continues from, in order of depth; none: it begins a trie."""
    tokens_T: Ids  # noqa: N815
    positions_T: Ids  # noqa: N815
    end_C: Ids  # noqa: N815
    nodes: dict[int, Ids]
    """Index of a sequence (in the list that was packed) -> the column of each of its tokens."""

    def __len__(self) -> int:
        return len(self.tokens_T)

    def depth_C(self) -> Ids:  # noqa: N802
        """Return each column's depth. The past is a whole path from the root."""
        return np.concatenate([np.arange(len(self.past_P)), self.positions_T])

    def first_T(self, window: int | None) -> Ids:  # noqa: N802
        """Return the smallest depth that each node may attend to."""
        return np.zeros_like(self.positions_T) if window is None else self.positions_T - window + 1

    def blocks(self, size: int, window: int | None = None) -> Iterator["Block"]:
        """Split the nodes, in order, into blocks of at most ``size``.

        Of the columns before a block, its nodes may attend only to the path to its first node a: an ancestor j of one
        of its nodes i has ``j <= i < end_C[j]``, and with ``j < a <= i`` it is also an ancestor of a.
        """
        past = len(self.past_P)
        depth_C, first_T = self.depth_C(), self.first_T(window)
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            node_B, first_B = np.arange(past + start, past + stop), first_T[start:stop]
            before = np.flatnonzero(self.end_C[: past + start] > past + start)
            before = before[depth_C[before] >= first_B.min()]
            column_K = np.concatenate([before, node_B])
            path_BK = (column_K <= node_B[:, None]) & (node_B[:, None] < self.end_C[column_K])
            yield Block(start, stop, column_K, path_BK & (depth_C[column_K] >= first_B[:, None]))


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


def pack(sequences: Sequence[Sequence[int]], token_budget: int) -> list[TreePass]:
    """Lay out all sequences in passes of at most ``token_budget`` nodes; no prefix is computed twice.

    A full pass ends, even in the middle of a sequence. A pass with a sixteenth of the budget also ends before a
    sequence that shares less than half of its tokens with the one before: computing trees together that share little
    gains nothing, and on a CPU one large pass is slower than several small ones.
    """
    ordered = _sorted(sequences)
    builder = _Builder(token_budget)
    for index, ids, shared in zip(ordered.indices, ordered.ids, ordered.shared, strict=True):
        builder.add(index, ids, shared)
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
    shared = [_shared(before, after) for before, after in pairwise(ids)]
    return _Sorted(indices, ids, [0, *shared] if ids else [])


def _shared(a: Ids, b: Ids) -> int:
    length = min(len(a), len(b))
    differs = np.flatnonzero(a[:length] != b[:length])
    return int(differs[0]) if len(differs) else length


@dataclass
class _Builder:
    """A builder that appends sorted sequences to a trie and cuts it into passes; ``path``: the newest one's columns."""

    budget: int
    passes: list[TreePass] = field(default_factory=list)
    path: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    past: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    tokens: list[Ids] = field(default_factory=list)
    positions: list[Ids] = field(default_factory=list)
    closed: list[tuple[Ids, int]] = field(default_factory=list)
    nodes: dict[int, Ids] = field(default_factory=dict)
    size: int = 0

    def add(self, index: int, ids: Ids, shared: int) -> None:
        self.closed.append((self.path[shared:], len(self.past) + self.size))
        self.path = self.path[:shared]
        unrelated = 2 * shared < len(ids) and self.size >= self.budget // 16
        if self.size and unrelated and shared < len(ids):
            self._cut()
        while len(self.path) < len(ids):
            if self.size == self.budget:
                self._cut()
            self._extend(ids)
        self.nodes[index] = self.path

    def finish(self) -> list[TreePass]:
        if self.size or self.nodes:
            self._cut()
        return self.passes

    def _extend(self, ids: Ids) -> None:
        """Append as many of the sequence's next tokens as fit."""
        depth = len(self.path)
        count = min(len(ids) - depth, self.budget - self.size)
        first = len(self.past) + self.size
        self.tokens.append(ids[depth : depth + count])
        self.positions.append(np.arange(depth, depth + count))
        self.path = np.concatenate([self.path, np.arange(first, first + count)])
        self.size += count

    def _cut(self) -> None:
        """End the pass; the next one continues from the path."""
        columns = len(self.past) + self.size
        end_C = np.full(columns, columns)
        for nodes, end in self.closed:
            end_C[nodes] = end
        tokens_T, positions_T = np.concatenate(self.tokens), np.concatenate(self.positions)
        self.passes.append(TreePass(self.past, tokens_T, positions_T, end_C, self.nodes))
        self.past, self.path = self.path, np.arange(len(self.path))
        self.tokens, self.positions, self.closed, self.nodes, self.size = [], [], [], {}, 0
