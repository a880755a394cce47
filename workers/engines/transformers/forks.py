"""A prefix tree for models that carry a state from token to token: recurrent layers, alone or beside attention.

In: distinct token sequences, and a model of transformers. Out: the logits after each. Every shared prefix is computed
once: the tree is walked in depth-first order, and where it branches, each branch continues from a copy of the state.
Ends of the tree, which nothing continues from, go together in batches, padded on the right, where the state no longer
matters. In memory are the states of branches on one path, and those of one batch. Knows nothing about candidates.

B = rows, C = columns of the longest past and of new tokens, T = new tokens, N = wanted positions, V = vocabulary.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cotfaith.workers.engines.next_tokens import Prefix
from cotfaith.workers.engines.transformers.row_cache import pad_left

MOST_ENDS = 32
"""The most ends of the tree in a batch: each has a copy of its state."""
STATES = ("conv_states", "recurrent_states")


@dataclass
class Segment:
    """Tokens without a branch between them; ``text``: the sequence that ends with them, if one does."""

    tokens: Prefix
    start: int
    text: Prefix | None = None
    children: "list[Segment]" = field(default_factory=list)

    @property
    def end(self) -> int:
        """The depth after its last token."""
        return self.start + len(self.tokens)


@dataclass(frozen=True)
class ForkResult:
    """The result of one pass."""

    row: dict[Prefix, int]
    """A sequence -> the row of its last token's logits."""
    logits_NV: Tensor  # noqa: N815
    computed: int
    """Positions, those of padding included."""


@dataclass(frozen=True)
class _Branch:
    segment: Segment
    cache: Any
    """The state before it; null: it begins a sequence. Never changed: who continues from it copies it."""


def segments(sequences: Sequence[Prefix]) -> list[Segment]:
    """Return the tree of distinct sequences, as the segments that begin one."""
    root = Segment((), 0)
    path, before = [root], root.tokens
    for text in sorted(sequences):
        shared = _shared(before, text)
        while len(path) > 1 and path[-1].start >= shared:
            path.pop()
        if path[-1].end > shared:
            _divide(path[-1], shared)
        new = Segment(text[shared:], shared, text)
        path[-1].children.append(new)
        path.append(new)
        before = text
    return root.children


def _shared(a: Prefix, b: Prefix) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _divide(segment: Segment, depth: int) -> None:
    at = depth - segment.start
    below = Segment(segment.tokens[at:], depth, segment.text, segment.children)
    segment.tokens, segment.text, segment.children = segment.tokens[:at], None, [below]


def run_forks(
    model: Any, takes: frozenset[str], sequences: Sequence[Prefix], token_budget: int
) -> Iterator[ForkResult]:
    """Compute all sequences, at most ``token_budget`` positions at once."""
    passes = _Passes(model, takes, token_budget)
    open_branches = [_Branch(segment, None) for segment in reversed(segments(sequences))]
    ends: list[_Branch] = []
    while open_branches:
        branch = open_branches.pop()
        if not branch.segment.children:
            if ends and not passes.together([*ends, branch]):
                yield passes.ends(ends)
                ends = []
            ends.append(branch)
            continue
        result, cache = passes.trunk(branch)
        yield result
        # The ends first: then only one child's state is needed further down.
        children = sorted(branch.segment.children, key=lambda child: not child.children)
        open_branches += [_Branch(child, cache) for child in children]
    if ends:
        yield passes.ends(ends)


@dataclass(frozen=True)
class _Passes:
    model: Any
    takes: frozenset[str]
    budget: int

    def together(self, ends: Sequence[_Branch]) -> bool:
        """Return whether ends can go in one batch: not where much of it would be padding."""
        lengths = [len(branch.segment.tokens) for branch in ends]
        width, padded = max(lengths), max(lengths) > 2 * min(lengths)
        starts = {branch.segment.start for branch in ends}
        fits = len(ends) <= MOST_ENDS and len(ends) * width <= self.budget and not padded
        same = len({branch.cache is None for branch in ends}) == 1
        return fits and same and (len(starts) == 1 or not _slides(ends[0].cache))

    def trunk(self, branch: _Branch) -> tuple[ForkResult, Any]:
        """Compute a segment that others continue from; return also the state after it."""
        segment, cache = branch.segment, None if branch.cache is None else _joined([branch.cache])
        for start in range(0, len(segment.tokens), self.budget):
            piece = segment.tokens[start : start + self.budget]
            depth = segment.start + start
            logits_1NV, cache = self._forward([piece], [depth], cache, [len(piece) - 1], keeps=True)
        rows = {} if segment.text is None else {segment.text: 0}
        return ForkResult(rows, logits_1NV[0], len(segment.tokens)), cache

    def ends(self, branches: Sequence[_Branch]) -> ForkResult:
        """Compute segments that nothing continues from."""
        pieces = [branch.segment.tokens for branch in branches]
        starts = [branch.segment.start for branch in branches]
        longest = max(map(len, pieces))
        if longest > self.budget:  # alone
            return self.trunk(branches[0])[0]
        cache = None if branches[0].cache is None else _joined([branch.cache for branch in branches])
        keep = sorted({len(piece) - 1 for piece in pieces})
        logits_BNV, _ = self._forward(pieces, starts, cache, keep, keeps=False)
        place = torch.tensor([keep.index(len(piece) - 1) for piece in pieces], device=logits_BNV.device)
        logits_BV = logits_BNV[torch.arange(len(pieces), device=logits_BNV.device), place]
        rows = {branch.segment.text: i for i, branch in enumerate(branches) if branch.segment.text is not None}
        return ForkResult(rows, logits_BV, len(pieces) * longest)

    def _forward(
        self, pieces: Sequence[Prefix], starts: Sequence[int], cache: Any, keep: Sequence[int], keeps: bool
    ) -> tuple[Tensor, Any]:
        """Run the pieces, each from its own depth; return logits_BNV at the positions ``keep``, and the state."""
        width, past = max(map(len, pieces)), max(starts) if cache is not None else 0
        tokens_BT = torch.zeros(len(pieces), width, dtype=torch.long)
        mask_BC = torch.zeros(len(pieces), past + width, dtype=torch.long)
        for i, (piece, start) in enumerate(zip(pieces, starts, strict=True)):
            tokens_BT[i, : len(piece)] = torch.tensor(piece)
            mask_BC[i, past - start if cache is not None else 0 : past + len(piece)] = 1
        positions_BT = torch.tensor(starts)[:, None] + torch.arange(width)
        device = self.model.device
        kind = "past_key_values" if "past_key_values" in self.takes else "cache_params"
        keep_N = torch.tensor(keep, device=device)
        optional = {"position_ids": positions_BT.to(device), "logits_to_keep": keep_N, kind: cache}
        extra = {name: value for name, value in optional.items() if name in self.takes and value is not None}
        use_cache = keeps or cache is not None
        out = self.model(
            input_ids=tokens_BT.to(device), attention_mask=mask_BC.to(device), use_cache=use_cache, **extra
        )
        logits_BNV = out.logits if "logits_to_keep" in self.takes else out.logits[:, keep_N]
        return logits_BNV, out[kind] if keeps else None


def _slides(cache: Any) -> bool:
    """Return whether a layer holds only a window: then rows of different depth cannot be padded to one width."""
    return cache is not None and any(getattr(layer, "is_sliding", False) for layer in cache.layers)


def _joined(caches: Sequence[Any]) -> Any:
    """Return a copy of all caches as the rows of one; keys and values are padded on the left."""
    joined = copy.copy(caches[0])
    joined.layers = [_joined_layer(layers) for layers in zip(*(cache.layers for cache in caches), strict=True)]
    return joined


def _joined_layer(layers: Sequence[Any]) -> Any:
    joined = copy.copy(layers[0])
    for name, value in vars(joined).items():
        if name in STATES:
            states = {
                i: None if x is None else torch.cat([getattr(a, name)[i] for a in layers]) for i, x in value.items()
            }
            setattr(joined, name, states)
        elif isinstance(value, dict):
            setattr(joined, name, dict(value))
    if isinstance(getattr(joined, "keys", None), Tensor):
        width = max(layer.keys.shape[2] for layer in layers)
        joined.keys = torch.cat([pad_left(layer.keys, width) for layer in layers])
        joined.values = torch.cat([pad_left(layer.values, width) for layer in layers])
    return joined
