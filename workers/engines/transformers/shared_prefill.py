"""Prompts -> a key-value cache of one row each, with every shared prefix computed once.

In: distinct prompts, and a model that can attend to a tree (``tree_attention``). Out: the cache, left-padded to the
longest prompt, with all columns regardless of a layer's window, and the logits after each prompt. Knows nothing about
sampling.

C = columns of a tree pass, P = prompts, R = prompts of one pass, W = longest prompt, H = heads, D = head width,
V = vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cotfaith.workers.engines.transformers.key_values import KeyValues
from cotfaith.workers.engines.transformers.prefix_tree import Work, nothing, pack, work
from cotfaith.workers.engines.transformers.radix import Ids
from cotfaith.workers.engines.transformers.row_cache import growing_cache
from cotfaith.workers.engines.transformers.tree_passes import TreeResult, run_passes


def shared_prefill(
    model: Any,
    takes: frozenset[str],
    prompts: Sequence[Sequence[int]],
    token_budget: int,
    kept: KeyValues | None = None,
    read: Sequence[Ids] = (),
) -> tuple[Tensor, Any, Work]:
    """Return logits_PV, the cache, and the positions computed and reused.

    ``kept``: what earlier calls computed; ``read``: slots of it that the caller has read, which are also reused.
    """
    width = max(map(len, prompts))
    passes = pack(prompts, token_budget, kept.match if kept else nothing)
    order = torch.tensor([index for tree in passes for index in tree.nodes], device=model.device).argsort()
    ended = (result for result in run_passes(model, takes, passes, kept, whole=True) if result.tree.nodes)
    parts = [_rows_of_pass(result, width) for result in ended]
    whole = growing_cache()
    for layer, pairs in enumerate(zip(*(rows for _, rows in parts), strict=True)):
        keys_PHWD, values_PHWD = (torch.cat(part)[order] for part in zip(*pairs, strict=True))
        whole.update(keys_PHWD, values_PHWD, layer)
    logits_PV = torch.cat([logits_RV for logits_RV, _ in parts])[order]
    return logits_PV, whole, work(passes, read)


def _rows_of_pass(result: TreeResult, width: int) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Return logits_RV, and per layer the keys and values (RHWD) of the prompts that end in the pass."""
    device = result.logits_NV.device
    paths_RW = torch.zeros(len(result.tree.nodes), width, dtype=torch.long)  # the padding is masked
    for row, columns in enumerate(result.tree.nodes.values()):
        paths_RW[row, width - len(columns) :] = torch.from_numpy(columns)
    paths_RW = paths_RW.to(device)
    logits_RV = result.logits_NV[[result.row[index] for index in result.tree.nodes]]
    return logits_RV, [(_rows(layer.keys, paths_RW), _rows(layer.values, paths_RW)) for layer in result.layers]


def _rows(columns_1HCD: Tensor, paths_RW: Tensor) -> Tensor:
    return columns_1HCD[0][:, paths_RW].transpose(0, 1).contiguous()
