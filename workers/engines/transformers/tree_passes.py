"""A runner of a prefix tree's passes, which continue from one another and from what earlier calls computed.

In: passes (``prefix_tree``), and a model that can attend to them (``tree_attention``). Out: per pass the logits at the
wanted columns, and the keys and values of its columns if they are wanted. Knows nothing about what the logits are for.

T = nodes of a pass, C = its columns, N = wanted positions, V = vocabulary.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from cotfaith.workers.engines.transformers.head import recorded
from cotfaith.workers.engines.transformers.key_values import KeyValues, LayerShape
from cotfaith.workers.engines.transformers.path_cache import PassCache
from cotfaith.workers.engines.transformers.prefix_tree import TreePass, pack
from cotfaith.workers.engines.transformers.tree_attention import attending


@dataclass(frozen=True)
class TreeResult:
    """The result of one pass."""

    tree: TreePass
    row: dict[int, int]
    """Index of a sequence that ends in this pass -> the row of its last token's logits."""
    logits_NV: Tensor  # noqa: N815
    layers: Sequence[Any]
    """With the keys and values of all the pass's columns until the next pass, if the caller wants them."""


def run_passes(
    model: Any,
    takes: frozenset[str],
    passes: Sequence[TreePass],
    kept: KeyValues | None = None,
    whole: bool = False,
) -> Iterator[TreeResult]:
    """Run the passes in order. ``takes``: names of the arguments of the model's forward method.

    ``kept``: what the passes were packed with, to which they add; ``whole``: the caller wants all keys and values.
    """
    state = PassCache(kept, model.device, whole)
    alone = kept is None and not whole and not any(len(tree.past_P) for tree in passes)
    for tree, after in pairwise([*passes, None]):
        assert tree is not None, "only the end has nothing after it"
        columns = sorted({int(nodes[-1]) for nodes in tree.nodes.values()})
        row = {column: i for i, column in enumerate(columns)}
        state.turn_to(tree, after)
        try:
            with recorded(model) if kept and kept.head else nullcontext() as last:
                logits_NV = _forward(model, takes, tree, columns, None if alone else state.cache)
        except BaseException:
            state.give_up()
            raise
        state.end(tree, last.states_BTD[0] if last else None)
        rows = {i: row[int(nodes[-1])] for i, nodes in tree.nodes.items()}
        yield TreeResult(tree, rows, logits_NV, state.cache.layers)


def _forward(model: Any, takes: frozenset[str], tree: TreePass, columns: Sequence[int], cache: Any) -> Tensor:
    def on_device(ids: Any) -> Tensor:
        return torch.from_numpy(ids).to(model.device)

    cached = {} if cache is None else {"past_key_values": cache}
    # If no sequence ends here, one unused position goes through the head: an empty list would mean every position.
    keep_N = torch.tensor(columns or [tree.before], device=model.device) - tree.before
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


def layer_shapes(model: Any, takes: frozenset[str]) -> list[LayerShape]:
    """Return the shapes of all layers' keys and values, read off a small pass."""
    (result,) = run_passes(model, takes, pack([(0, 0)], 2), whole=True)
    return [LayerShape.of(layer.keys, layer.values) for layer in result.layers]
