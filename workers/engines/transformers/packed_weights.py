"""Products of few rows with large weights on the CPU, from a second copy of the weights.

A step of generation multiplies as many rows as there are prompts with every weight. For so few rows, torch's product of
float32 matrices orders the weights anew each time, which takes as long as the product. Two libraries read a copy that
was ordered once. FBGEMM's is in float16, half the bytes, and its sums are in float32: it is used for weights that
float16 holds as well as float32 does, if all are multiplied by one power of two. Such are weights that were published
in bfloat16 or float16. For others there is oneDNN's, in float32. Where rows are many, or weights few, nothing changes.
The sums are the same up to float noise.

In: a loaded model, and a budget of bytes. Out: the bytes that the copies take. Knows nothing about layers' meaning.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

FEWEST, MOST = 3, 32
"""The rows between which a float32 copy is read: one or two are a product with a vector, which needs no order. A copy
in float16 is read from one row on."""
SMALLEST = 2**18
"""The fewest weights of a layer that are worth a copy."""
WITHIN = 1e-4
"""The largest difference from the ordinary product, as a share of its largest number."""
HALF_WITHIN = 2.0**-24
"""The largest error of a weight in float16, as a share of the mean weight of an output: float32 rounds products with
such a weight no better."""

Multiply = Callable[[Tensor], Tensor]
"""States (..., D) -> their product with a layer's weights."""


def use_packed_weights(model: Any, budget: int, rows: int) -> int:
    """Let layers of ``model`` read a copy in products of few rows, the largest first; return the copies' bytes.

    ``budget``: of bytes; ``rows``: how many the copies are ordered for. No layer is changed if the product does not
    exist here, or differs from the ordinary one.
    """
    if model.dtype != torch.float32 or model.device.type != "cpu":
        return 0
    layers = [layer for layer in model.modules() if type(layer) is nn.Linear and layer.weight.numel() >= SMALLEST]
    kinds = [(_half, 2, 1)] + ([(partial(_ordered, rows=min(rows, MOST)), 4, FEWEST)] if rows >= FEWEST else [])
    taken = 0
    with torch.inference_mode():
        for layer in sorted(layers, key=lambda layer: -layer.weight.numel()):
            for pack, bytes_each, fewest in kinds:
                size = bytes_each * layer.weight.numel()
                multiply = _tested(pack, layer) if taken + size <= budget else None
                if multiply is not None:
                    layer.forward = partial(_product, layer, multiply, fewest)  # type: ignore[method-assign]
                    taken += size
                    break
    return taken


def _tested(pack: Callable[[nn.Linear], Multiply | None], layer: nn.Linear) -> Multiply | None:
    """Return a product from a copy of a layer's weights; None: there is none here, or it differs."""
    states_ND = torch.randn(FEWEST, layer.in_features, generator=torch.Generator().manual_seed(0))
    try:
        multiply = pack(layer)
        found = None if multiply is None else multiply(states_ND)
    except (AttributeError, RuntimeError, NotImplementedError):
        return None
    exact = linear(states_ND, layer.weight, layer.bias)
    return multiply if found is not None and bool((found - exact).abs().max() <= WITHIN * exact.abs().max()) else None


def _half(layer: nn.Linear) -> Multiply | None:
    """Return the product from a copy in float16; None: float16 does not hold the weights."""
    weight = layer.weight.detach()
    scale = _scale(weight)
    if scale is None:
        return None
    packed = torch.ops.quantized.linear_prepack_fp16(weight * scale, layer.bias)
    return lambda states: torch.ops.quantized.linear_dynamic_fp16(states / scale, packed)


def _scale(weight_VD: Tensor) -> float | None:
    """Return the power of two by which float16 holds a weight matrix; None: there is none."""
    largest = max(abs(float(end)) for end in weight_VD.aminmax())
    if not 0 < largest < math.inf:
        return None
    scale = 2.0 ** (15 - math.frexp(largest)[1])  # float16 ends at 2**16
    parts = torch.split(weight_VD, max(1, SMALLEST // weight_VD.shape[1]))
    return scale if all(_is_held(part_VD, scale) for part_VD in parts) else None


def _is_held(weight_VD: Tensor, scale: float) -> bool:
    error_VD = ((weight_VD * scale).half().float() / scale - weight_VD).abs()
    return bool((error_VD.amax(dim=1) <= HALF_WITHIN * weight_VD.abs().mean(dim=1)).all())


def _ordered(layer: nn.Linear, rows: int) -> Multiply:
    """Return the product from a copy in float32 that is ordered for ``rows``."""
    packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), rows)
    return lambda states: torch.ops.mkldnn._linear_pointwise(states, packed, layer.bias, "none", [], "")


def _product(layer: nn.Linear, multiply: Multiply, fewest: int, states: Tensor) -> Tensor:
    rows = states.numel() // layer.in_features
    return multiply(states) if fewest <= rows <= MOST else linear(states, layer.weight, layer.bias)
