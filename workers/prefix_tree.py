"""The prefix tree: many token sequences laid out so that one forward pass computes each distinct prefix once.

In: sequences of token ids, each whole. Out: passes. A pass holds a trie's nodes in depth-first order:

    tokens_T      the nodes' token ids
    positions_T   their depths, which are the position ids
    end_T         one past the last node of each node's subtree

Node i stands for the prefix spelled by the path from a root to it. Its ancestors and itself are exactly the nodes j
with ``j <= i < end_T[j]``: what token i may attend to. Knows nothing about models, prompts or candidates, nor torch.

T = nodes of a pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class TreePass:
    """One forward pass: a trie, and where the sequences that it holds lie in it."""

    tokens_T: Ids  # noqa: N815
    positions_T: Ids  # noqa: N815
    end_T: Ids  # noqa: N815
    nodes: dict[int, Ids]
    """Index of a sequence (in the list that was packed) -> the node of each of its tokens."""

    def __len__(self) -> int:
        return len(self.tokens_T)


def distinct_tokens(sequences: Sequence[Sequence[int]]) -> int:
    """Count the distinct prefixes, which are the nodes of one trie over all sequences."""
    return sum(len(new) for new in _sorted(sequences).fresh())


def pack(sequences: Sequence[Sequence[int]], token_budget: int) -> list[TreePass]:
    """Lay out all sequences in passes of at most ``token_budget`` nodes.

    Sequences are never cut: one that is longer than the budget gets a pass of its own. A prefix shared across a pass's
    border is computed in both. A sequence that shares less than half of its tokens with the one before opens a new pass
    once there is a sixteenth of the budget: attention's cost grows with the square of a pass, whatever the mask hides.
    """
    ordered = _sorted(sequences)
    passes, builder = [], _Builder()
    for index, ids, shared in zip(ordered.indices, ordered.ids, ordered.shared, strict=True):
        too_large = len(builder) + len(ids) - shared > token_budget
        unrelated = 2 * shared < len(ids) and len(builder) >= token_budget // 16
        if len(builder) and (too_large or unrelated):
            passes.append(builder.finish())
            builder = _Builder()
        builder.add(index, ids, shared)
    if ordered.indices:
        passes.append(builder.finish())
    return passes


@dataclass(frozen=True)
class _Sorted:
    indices: list[int]
    ids: list[Ids]
    shared: list[int]
    """Tokens that each shares with the one before it."""

    def fresh(self) -> list[Ids]:
        return [ids[shared:] for ids, shared in zip(self.ids, self.shared, strict=True)]


def _sorted(sequences: Sequence[Sequence[int]]) -> _Sorted:
    """Sort lexicographically: then a trie's depth-first order is the order in which new prefixes appear."""
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    # Big-endian bytes compare like the ids, with memcmp rather than int by int.
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
    """Appends sorted sequences to a trie; ``path`` is the branch to the newest."""

    tokens: list[Ids] = field(default_factory=list)
    positions: list[Ids] = field(default_factory=list)
    closed: list[tuple[Ids, int]] = field(default_factory=list)
    path: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    nodes: dict[int, Ids] = field(default_factory=dict)
    size: int = 0

    def __len__(self) -> int:
        return self.size

    def add(self, index: int, ids: Ids, shared: int) -> None:
        shared = min(shared, len(self.path))  # 0 in a pass that has just begun
        self.closed.append((self.path[shared:], self.size))
        new = np.arange(self.size, self.size + len(ids) - shared)
        self.tokens.append(ids[shared:])
        self.positions.append(np.arange(shared, len(ids)))
        self.path = np.concatenate([self.path[:shared], new])
        self.nodes[index] = self.path
        self.size += len(new)

    def finish(self) -> TreePass:
        end_T = np.zeros(self.size, dtype=np.int64)
        for nodes, end in [*self.closed, (self.path, self.size)]:
            end_T[nodes] = end
        return TreePass(np.concatenate(self.tokens), np.concatenate(self.positions), end_T, self.nodes)
