"""A runner of a prefix tree's passes, which keeps the keys and values that the next pass continues from.

In: passes (``prefix_tree``), and a model that can attend to them (``tree_attention``). Out: per pass the logits at the
wanted columns, and the cache of its columns if it is wanted. Knows nothing about what the logits are for.

T = nodes of a pass, P = its past, C = P + T, N = wanted positions, V = vocabulary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from cotfaith.workers.engines.transformers.path_cache import Path
from cotfaith.workers.engines.transformers.prefix_tree import TreePass
from cotfaith.workers.engines.transformers.tree_attention import attending


@dataclass(frozen=True)
class TreeResult:
    """The result of one pass."""

    tree: TreePass
    row: dict[int, int]
    """Index of a sequence that ends in this pass -> the row of its last token's logits."""
    logits_NV: Tensor  # noqa: N815
    cache: Any
    """Keys and values of all the pass's columns, if the caller wants them."""


def run_passes(
    model: Any, takes: frozenset[str], passes: Sequence[TreePass], keep_caches: bool = False
) -> Iterator[TreeResult]:
    """Run the passes in order. ``takes``: names of the arguments of the model's forward method."""
    cache: Cache | None = None
    path = Path(passes)
    for tree, after in pairwise([*passes, None]):
        assert tree is not None, "only the end has nothing after it"
        if keep_caches:
            cache = _past(cache, tree)
        elif path.longest:
            path.turn_to(tree, after)
            cache = path.cache
        columns = sorted({int(nodes[-1]) for nodes in tree.nodes.values()})
        row = {column: i for i, column in enumerate(columns)}
        logits_NV = _forward(model, takes, tree, columns, cache)
        rows = {i: row[int(nodes[-1])] for i, nodes in tree.nodes.items()}
        yield TreeResult(tree, rows, logits_NV, cache if keep_caches else None)


def _forward(model: Any, takes: frozenset[str], tree: TreePass, columns: Sequence[int], cache: Any) -> Tensor:
    def on_device(ids: Any) -> Tensor:
        return torch.from_numpy(ids).to(model.device)

    cached = {} if cache is None else {"past_key_values": cache}
    # If no sequence ends here, one unused position goes through the head: an empty list would mean every position.
    keep_N = torch.tensor(columns or [len(tree.past_P)], device=model.device) - len(tree.past_P)
    kept = {"logits_to_keep": keep_N} if "logits_to_keep" in takes else {}
    with attending(model, tree):
        logits_1NV: Tensor = model(
            input_ids=on_device(tree.tokens_T)[None],
            position_ids=on_device(tree.positions_T)[None],
            use_cache=cache is not None,
            **cached,
            **kept,
        ).logits
    return (logits_1NV[0] if kept else logits_1NV[0, keep_N])[: len(columns)]


def _past(cache: Any, tree: TreePass) -> Cache:
    """Return a cache of the columns that ``tree`` continues from: all of them, regardless of a layer's window."""
    past = DynamicCache()
    if len(tree.past_P):
        past_P = torch.from_numpy(tree.past_P)
        for index, layer in enumerate(cache.layers):
            at = past_P.to(layer.keys.device)
            past.update(layer.keys[:, :, at], layer.values[:, :, at], index)
    return past
