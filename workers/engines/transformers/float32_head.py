"""The output head in float32, for models whose weights are of lower precision.

A bfloat16 product rounds logits between 16 and 32 to steps of 1/8, so scores tie. The weights keep their precision;
only the product with the last hidden states, which are few, is computed in float32. It replaces the head itself, so
anything that the model does to its logits afterwards (soft caps, scales) is also in float32. Sampling uses the same
head, so greedy answers tie no more often than scored answers.

A part of the head at a time is turned into float32, at every call. A copy of the whole would take 2.4 GB at 152,000
tokens of 4,096 numbers, and no less time where parts stay in the processor's cache. On CUDA nothing is turned into
float32: the library multiplies states and weights as they are, adds in float32 and gives the sums as they are. Nothing
is lost before the sums, as the product of two numbers of 8 or 11 significant bits fits the 24 of float32. A GPU's
matrix units cut what a sum cannot hold rather than round it: 5e-6 of the largest logit at 4,096 numbers, where parts
are off by 1e-6 and results in bfloat16 by 2e-3. Whether the library does so is tried when a model is loaded. Models in
float32 are left alone.

N = positions, V = vocabulary, D = width of the hidden states.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

CPU_PART, GPU_PART = 2**20, 2**24
"""Weights that are turned into float32 at once: 4 MiB, which a processor's cache holds; 64 MiB."""
WITHIN = 1e-4
"""Share of the largest logit by which a product with float32 sums may be off."""
TRIED = 16
"""Positions, and spread over the vocabulary 64 times as many tokens, that the product is tried on."""
CANNOT = "The model's output head cannot be computed in float32: equal log-probabilities may be rounded ones."


def use_float32_head(model: Any) -> bool:
    """Make the model's head compute in float32; return whether its logits come from there unrounded."""
    head = model.get_output_embeddings()
    if model.dtype == torch.float32:
        return True
    if not isinstance(head, nn.Linear) or head.weight.dtype not in (torch.bfloat16, torch.float16):
        return False  # quantised, or not a single layer
    product = _Product(head)
    head.forward = product  # type: ignore[method-assign, assignment]
    with torch.inference_mode():
        logits = model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=False).logits
    return product.used and logits.dtype == torch.float32  # some models bypass their head, or round its output


class _Product:
    """The product of a head's weights with hidden states, entirely in float32."""

    def __init__(self, head: nn.Linear) -> None:
        self._head = head
        self._sums_in_float32 = sums_in_float32(head.weight)
        self.used = False

    def __call__(self, states: Tensor) -> Tensor:
        """Return the logits of ``states`` (..., D)."""
        self.used = True
        weight_VD, bias_V = self._head.weight, self._head.bias
        whole = self._sums_in_float32 and states.dtype == weight_VD.dtype
        logits = unrounded(states, weight_VD) if whole else in_parts(states, weight_VD)
        return logits if bias_V is None else logits + bias_V.float()


def in_parts(states: Tensor, weight_VD: Tensor) -> Tensor:
    """Return the product (..., V) of ``states`` (..., D), by a part of the weights in float32 at a time."""
    part = CPU_PART if states.device.type == "cpu" else GPU_PART
    rows = max(1, part // weight_VD.shape[1])
    wide = states.float()
    return torch.cat([linear(wide, part_VD.float()) for part_VD in torch.split(weight_VD, rows)], dim=-1)


def unrounded(states: Tensor, weight_VD: Tensor) -> Tensor:
    """Return the product (..., V) of ``states`` (..., D) of the weights' precision, its sums in float32."""
    states_ND = states.reshape(-1, states.shape[-1])
    logits_NV = torch.mm(states_ND, weight_VD.T, out_dtype=torch.float32)
    return logits_NV.view(*states.shape[:-1], -1)


def sums_in_float32(weight_VD: Tensor) -> bool:
    """Return whether ``unrounded`` gives what float64 does, but for sums in float32; needs CUDA and torch 2.8."""
    if weight_VD.device.type != "cuda":
        return False
    draw = torch.Generator().manual_seed(0)
    states_ND = torch.randn(TRIED, weight_VD.shape[1], generator=draw).to(weight_VD)
    tokens = torch.linspace(0, len(weight_VD) - 1, 64 * TRIED, device=weight_VD.device).long()
    with torch.inference_mode():
        exact = states_ND.double() @ weight_VD[tokens].double().T
        try:
            found = unrounded(states_ND, weight_VD)[:, tokens]
        except (TypeError, RuntimeError):  # no such argument, or no such product on this card
            return False
    return bool((found - exact).abs().max() <= WITHIN * exact.abs().max())
