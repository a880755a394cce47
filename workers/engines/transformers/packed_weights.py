"""Products of few rows with large weights on the CPU, from a second copy of the weights.

A step of generation multiplies as many rows as there are prompts with every weight. For so few rows, torch's product of
float32 matrices orders the weights anew each time, which takes as long as the product. oneDNN reads a copy that was
ordered once: such products then take 0.5 to 0.9 of the time. Where rows are many, or weights few, nothing changes. The
sums are the same up to float noise.

In: a loaded model, and a budget of bytes. Out: the bytes that the copies take. Knows nothing about layers' meaning.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

FEWEST, MOST = 3, 32
"""The rows between which the copy is read: one or two rows are a product with a vector, which needs no order."""
SMALLEST = 2**18
"""The fewest weights of a layer that are worth a copy."""
WITHIN = 1e-4
"""The largest difference from the ordinary product, as a share of its largest number."""


def use_packed_weights(model: Any, budget: int, rows: int) -> int:
    """Let layers of ``model`` read a copy in products of few rows, the largest first; return the copies' bytes.

    ``budget``: of bytes; ``rows``: how many the copies are ordered for. No layer is changed if the product does not
    exist here, or differs from the ordinary one.
    """
    if model.dtype != torch.float32 or model.device.type != "cpu" or rows < FEWEST:
        return 0
    layers = [layer for layer in model.modules() if type(layer) is nn.Linear and layer.weight.numel() >= SMALLEST]
    taken = 0
    with torch.inference_mode():
        for layer in sorted(layers, key=lambda layer: -layer.weight.numel()):
            size = layer.weight.numel() * layer.weight.itemsize
            if taken + size > budget:
                continue
            packed = _packed(layer, min(rows, MOST))
            if packed is None:
                return taken
            layer.forward = partial(_product, layer, packed)  # type: ignore[method-assign]
            taken += size
    return taken


def _packed(layer: nn.Linear, rows: int) -> Tensor | None:
    """Return the copy of a layer's weights; None: there is no such product here, or it differs."""
    draw = torch.Generator().manual_seed(0)
    states_ND = torch.randn(rows, layer.in_features, generator=draw)
    try:
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), rows)
        found = _multiply(states_ND, packed, layer.bias)
    except (AttributeError, RuntimeError, NotImplementedError):
        return None
    exact = linear(states_ND, layer.weight, layer.bias)
    return packed if bool((found - exact).abs().max() <= WITHIN * exact.abs().max()) else None


def _product(layer: nn.Linear, packed: Tensor, states: Tensor) -> Tensor:
    rows = states.numel() // layer.in_features
    if FEWEST <= rows <= MOST:
        return _multiply(states, packed, layer.bias)
    return linear(states, layer.weight, layer.bias)


def _multiply(states: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(states, packed, bias, "none", [], "")
    return product
