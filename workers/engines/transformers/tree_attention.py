"""Attention over a pass of a prefix tree, without a mask of all pairs of nodes; transformers models call it.

In: a pass (``prefix_tree``), and each layer's queries, keys and values. Out: the layer's attention. A node attends to
its ancestors and itself, or, with a sliding window, to those within it. Each block of nodes is computed over the few
columns that it may attend to, which are found once per pass. On CUDA, flex_attention skips columns that no node attends
to; that path is tested only on the CPU, uncompiled. Unknown features, such as soft caps and sinks, are refused. Knows
nothing about the purpose of passes. Use one thread per model: while a pass runs, all of the model's attention is the
tree's.

T = nodes of a pass, P = its past, C = P + T, B = nodes of a block, K = columns it sees, H = query heads,
G = key-value heads, D = head width.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.flex_attention import flex_attention_forward

from cotfaith.workers.engines.transformers.attention import attention_by, unknown_arguments
from cotfaith.workers.engines.transformers.prefix_tree import TreePass

NAME = "cotfaith_tree"
BLOCK = 128
"""The number of nodes whose attention is computed at once."""
FLEX_DEVICES = frozenset({"cuda"})
"""The devices that use flex_attention instead of blocks."""
KNOWN = frozenset({"dropout", "position_ids", "use_cache"})
"""Arguments that models pass on and that do not change the result of inference."""


@dataclass(frozen=True)
class _Block:
    nodes: slice
    column_K: Tensor  # noqa: N815
    mask_BK: Tensor  # noqa: N815
    """An additive mask in the queries' precision: every layer would have to convert a boolean mask."""


class TreeAttention:
    """What a model's layers need to know about one pass, computed once for each window length."""

    def __init__(self, tree: TreePass) -> None:
        self.tree = tree
        self.used = False
        self._blocks: dict[int | None, list[_Block]] = {}
        self._flex_masks: dict[int | None, Any] = {}

    def blocks(self, window: int | None, like: Tensor) -> list[_Block]:
        """Return the blocks of a pass for tensors ``like`` this one."""
        if window not in self._blocks:
            self._blocks[window] = [
                _Block(
                    slice(block.start, block.stop),
                    torch.from_numpy(block.column_K).to(like.device),
                    _additive(torch.from_numpy(block.seen_BK), like),
                )
                for block in self.tree.blocks(BLOCK, window)
            ]
        return self._blocks[window]

    def flex_mask(self, window: int | None, device: torch.device) -> Any:
        """Return the pass's flex_attention BlockMask."""
        if window not in self._flex_masks:
            tree = self.tree
            arrays = (tree.end_C, tree.depth_C(), tree.first_T(window))
            end_C, depth_C, first_T = (torch.from_numpy(array).to(device) for array in arrays)
            # A tensor, like everything that the mask reads: a different number would recompile it.
            column_T = torch.arange(len(tree.past_P), len(tree.end_C), device=device)

            def seen(_batch: Tensor, _head: Tensor, node: Tensor, column: Tensor) -> Tensor:
                at = column_T[node]
                return (column <= at) & (at < end_C[column]) & (depth_C[column] >= first_T[node])

            self._flex_masks[window] = create_block_mask(seen, None, None, len(tree), len(end_C), device=str(device))
        return self._flex_masks[window]


_current: ContextVar[TreeAttention | None] = ContextVar("tree_attention", default=None)
"""Not every model passes unknown arguments on to its layers."""


@contextmanager
def attending(model: Any, tree: TreePass) -> Iterator[None]:
    """Make the model's forward passes within the block attend to the tree."""
    AttentionInterface.register(NAME, tree_attention_forward)
    attention = TreeAttention(tree)
    token = _current.set(attention)
    try:
        with attention_by(model, NAME):
            yield
    finally:
        _current.reset(token)
    if not attention.used:
        raise NotImplementedError("the model's attention cannot be replaced")


def tree_attention_forward(
    module: Any,
    query_1HTD: Tensor,
    key_1GCD: Tensor,
    value_1GCD: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Return attention_1THD. The signature is the library's."""
    _check(module, attention_mask, sliding_window, others)
    attention = _current.get()
    assert attention is not None, "the library calls this function only inside attending()"
    attention.used = True
    if query_1HTD.device.type in FLEX_DEVICES:
        mask = attention.flex_mask(sliding_window, query_1HTD.device)
        return flex_attention_forward(module, query_1HTD, key_1GCD, value_1GCD, mask, scaling=scaling)[0], None
    return _by_blocks(query_1HTD, key_1GCD, value_1GCD, attention.blocks(sliding_window, query_1HTD), scaling), None


def _check(module: Any, attention_mask: Tensor | None, sliding_window: int | None, others: dict[str, Any]) -> None:
    """Raise for a layer with unknown attention: self-tests are short and could miss it."""
    if unknown := unknown_arguments(others, KNOWN):
        raise NotImplementedError(f"attention with {', '.join(sorted(unknown))}")
    if attention_mask is not None or not getattr(module, "is_causal", True):
        raise NotImplementedError("attention that is not plainly causal")
    config = module.config
    types = getattr(config, "layer_types", None)
    slides = types[module.layer_idx] == "sliding_attention" if types else bool(getattr(config, "sliding_window", None))
    if slides != (sliding_window is not None):
        raise NotImplementedError(f"a layer's window is {sliding_window}, which its configuration contradicts")


def _by_blocks(
    query_1HTD: Tensor,
    key_1GCD: Tensor,
    value_1GCD: Tensor,
    blocks: Sequence[_Block],
    scaling: float | None,
) -> Tensor:
    """Return attention_1THD."""
    _, heads, nodes, _ = query_1HTD.shape
    attention_1THD = query_1HTD.new_empty(1, nodes, heads, value_1GCD.shape[-1])
    for block in blocks:
        attention_1HBD = scaled_dot_product_attention(
            query_1HTD[:, :, block.nodes],
            key_1GCD[:, :, block.column_K],
            value_1GCD[:, :, block.column_K],
            attn_mask=block.mask_BK,
            scale=scaling,
            enable_gqa=key_1GCD.shape[1] != heads,
        )
        attention_1THD[:, block.nodes] = attention_1HBD.transpose(1, 2)
    return attention_1THD


def _additive(seen_BK: Tensor, like: Tensor) -> Tensor:
    mask_BK = torch.zeros(seen_BK.shape, dtype=like.dtype)
    return mask_BK.masked_fill_(~seen_BK, torch.finfo(like.dtype).min).to(like.device)
