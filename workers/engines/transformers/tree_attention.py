"""Attention over a pass of a prefix tree, without a mask of all pairs of nodes; transformers models call it.

In: a pass (``prefix_tree``), and each layer's queries, keys and values. Out: the layer's attention. A node attends to
its ancestors and itself, or, with a sliding window or chunks, to those within. Each block of nodes is computed over the
few columns that it may attend to, which are found once per pass. flex_attention is not used: on CUDA it compiles for
ten seconds to a minute in each process, takes no heads narrower than 16, and PyTorch 2.11 finds no kernel for passes of
few nodes whose number varies. Unknown features, such as soft caps and sinks, are refused. Knows nothing about the
purpose of passes. Use one thread per model: while a pass runs, all of the model's attention is the tree's.

T = nodes of a pass, P = its past, C = P + T, B = nodes of a block, K = columns it sees, H = query heads,
G = key-value heads, R = query heads that share one, D = head width.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from cotfaith.workers.engines.transformers.attention import attention_by, unknown_arguments
from cotfaith.workers.engines.transformers.prefix_tree import Reach, TreePass

NAME = "cotfaith_tree"
BLOCK, GPU_BLOCK = 128, 512
"""The number of nodes whose attention is computed at once."""
KNOWN = frozenset({"dropout", "position_ids", "use_cache"})
"""Arguments that models pass on and that do not change the result of inference."""


@dataclass(frozen=True)
class _Block:
    nodes: slice
    column_K: Tensor  # noqa: N815
    mask_BK: Tensor  # noqa: N815
    """An additive mask in the queries' precision: every layer would have to convert a boolean mask."""


class TreeAttention:
    """What a model's layers need to know about one pass, computed once for each reach."""

    def __init__(self, tree: TreePass) -> None:
        self.tree = tree
        self.used = False
        self._blocks: dict[Reach, list[_Block]] = {}

    def blocks(self, reach: Reach, like: Tensor) -> list[_Block]:
        """Return the blocks of a pass for tensors ``like`` this one."""
        if reach not in self._blocks:
            self._blocks[reach] = [
                _Block(
                    slice(block.start, block.stop),
                    torch.from_numpy(block.column_K).to(like.device),
                    _additive(torch.from_numpy(block.seen_BK).to(like.device), like),
                )
                for block in self.tree.blocks(BLOCK if like.device.type == "cpu" else GPU_BLOCK, reach)
            ]
        return self._blocks[reach]


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
    reach = _reach(module, attention_mask, sliding_window, others)
    attention = _current.get()
    assert attention is not None, "the library calls this function only inside attending()"
    attention.used = True
    return _by_blocks(query_1HTD, key_1GCD, value_1GCD, attention.blocks(reach, query_1HTD), scaling), None


def _reach(module: Any, attention_mask: Tensor | None, sliding_window: int | None, others: dict[str, Any]) -> Reach:
    """Return how far a layer attends; raise if its attention is unknown: self-tests are short and could miss it."""
    if unknown := unknown_arguments(others, KNOWN):
        raise NotImplementedError(f"attention with {', '.join(sorted(unknown))}")
    if attention_mask is not None or not getattr(module, "is_causal", True):
        raise NotImplementedError("attention that is not plainly causal")
    config = module.config
    types = getattr(config, "layer_types", None)
    kind = types[module.layer_idx] if types else None
    slides = kind == "sliding_attention" if types else bool(getattr(config, "sliding_window", None))
    if slides != (sliding_window is not None):
        raise NotImplementedError(f"a layer's window is {sliding_window}, which its configuration contradicts")
    if not types and getattr(config, "attention_chunk_size", None):
        raise NotImplementedError("attention in chunks, by layers that the configuration does not name")
    return Reach(sliding_window, config.attention_chunk_size if kind == "chunked_attention" else None)


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
    attend = _attend if query_1HTD.device.type == "cpu" else _attend_in_groups
    for block in blocks:
        key_1GKD, value_1GKD = key_1GCD[:, :, block.column_K], value_1GCD[:, :, block.column_K]
        attention_1HBD = attend(query_1HTD[:, :, block.nodes], key_1GKD, value_1GKD, block.mask_BK, scaling)
        attention_1THD[:, block.nodes] = attention_1HBD.transpose(1, 2)
    return attention_1THD


def _attend(query_1HBD: Tensor, key_1GKD: Tensor, value_1GKD: Tensor, mask_BK: Tensor, scale: float | None) -> Tensor:
    grouped = key_1GKD.shape[1] != query_1HBD.shape[1]
    return scaled_dot_product_attention(
        query_1HBD, key_1GKD, value_1GKD, attn_mask=mask_BK, scale=scale, enable_gqa=grouped
    )


def _attend_in_groups(
    query_1HBD: Tensor, key_1GKD: Tensor, value_1GKD: Tensor, mask_BK: Tensor, scale: float | None
) -> Tensor:
    """Return what ``_attend`` does. CUDA's masked kernels do not support groups: a group becomes a batch row."""
    groups, repeats = key_1GKD.shape[1], query_1HBD.shape[1] // key_1GKD.shape[1]
    query_GRBD = query_1HBD.reshape(groups, repeats, *query_1HBD.shape[2:])
    key_GRKD, value_GRKD = (x_1GKD[0][:, None].expand(-1, repeats, -1, -1) for x_1GKD in (key_1GKD, value_1GKD))
    attention_GRBD = scaled_dot_product_attention(query_GRBD, key_GRKD, value_GRKD, attn_mask=mask_BK, scale=scale)
    return attention_GRBD.flatten(0, 1)[None]


def _additive(seen_BK: Tensor, like: Tensor) -> Tensor:
    mask_BK = torch.zeros(seen_BK.shape, dtype=like.dtype, device=like.device)
    return mask_BK.masked_fill_(~seen_BK, torch.finfo(like.dtype).min)
