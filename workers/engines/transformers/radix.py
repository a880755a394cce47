"""A radix tree: which token prefixes have their keys and values in which slots.

In: token ids, and a slot per token. Out: the slots of the longest known prefix, and slots to use again, those of the
prefixes that were not used for longest. A branch of the tree is a run of tokens; only its ends are ever taken away, so
a prefix is known whenever an extension of it is. Knows nothing about keys, values or torch.
"""

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
NO_IDS: Ids = np.zeros(0, dtype=np.int64)


@dataclass(eq=False)
class _Run:
    """Tokens without a branch between them, and their slots; ``used``: the call that last asked for them."""

    tokens: Ids
    slots: Ids
    used: int
    parent: "_Run | None" = None
    children: "dict[int, _Run]" = field(default_factory=dict)


class Radix:
    """The known prefixes; see the module's contract."""

    def __init__(self) -> None:
        self.call = 0
        """The number of the running call. What it uses is never taken away."""
        self._root = _Run(NO_IDS, NO_IDS, 0)

    def match(self, ids: Ids) -> Ids:
        """Return the slots of the longest known prefix of ``ids``, and count it as used."""
        runs = self._walk(ids)
        return np.concatenate([run.slots for run in runs]) if runs else NO_IDS

    def insert(self, ids: Ids, slots: Ids) -> Ids:
        """Make ``ids`` known with ``slots``; return those that were taken: what was known keeps its own."""
        runs = self._walk(ids)
        depth = sum(len(run.tokens) for run in runs)
        if depth == len(ids):
            return NO_IDS
        parent = runs[-1] if runs else self._root
        parent.children[int(ids[depth])] = _Run(ids[depth:].copy(), slots[depth:].copy(), self.call, parent)
        return slots[depth:]

    def take(self, count: int) -> Ids:
        """Forget up to ``count`` tokens, the least recently used first, from the ends; return their slots."""
        taken: list[Ids] = []
        ends = [(run.used, id(run), run) for run in self._ends() if run.used < self.call]
        heapq.heapify(ends)
        while ends and count > 0:
            _, _, run = heapq.heappop(ends)
            keep = max(0, len(run.slots) - count)
            taken.append(run.slots[keep:])
            count -= len(run.slots) - keep
            if keep:
                run.tokens, run.slots = run.tokens[:keep].copy(), run.slots[:keep].copy()
                continue
            parent = run.parent
            assert parent is not None, "the root has no tokens and is no end"
            del parent.children[int(run.tokens[0])]
            if not parent.children and parent.parent is not None and parent.used < self.call:
                heapq.heappush(ends, (parent.used, id(parent), parent))
        return np.concatenate(taken) if taken else NO_IDS

    def _walk(self, ids: Ids) -> list[_Run]:
        """Return the runs of the longest known prefix; a run that it leaves in the middle is divided there."""
        runs: list[_Run] = []
        run, depth = self._root, 0
        while depth < len(ids) and (child := run.children.get(int(ids[depth]))) is not None:
            run, shared = child, shared_length(child.tokens, ids[depth:])
            if shared < len(run.tokens):
                _divide(run, shared)
            run.used = self.call
            runs.append(run)
            depth += shared
        return runs

    def _ends(self) -> list[_Run]:
        ends, open_runs = [], list(self._root.children.values())
        while open_runs:
            run = open_runs.pop()
            if run.children:
                open_runs += run.children.values()
            else:
                ends.append(run)
        return ends


def shared_length(a: Ids, b: Ids) -> int:
    """Return how many tokens two sequences begin with in common."""
    length = min(len(a), len(b))
    differs = np.flatnonzero(a[:length] != b[:length])
    return int(differs[0]) if len(differs) else length


def _divide(run: _Run, at: int) -> None:
    """Cut a run in two, one below the other; the lower part keeps when it was used."""
    rest = _Run(run.tokens[at:], run.slots[at:], run.used, run, run.children)
    for child in rest.children.values():
        child.parent = rest
    run.tokens, run.slots, run.children = run.tokens[:at], run.slots[:at], {int(rest.tokens[0]): rest}
