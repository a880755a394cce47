"""The output head in float32, for models whose weights are of lower precision.

A bfloat16 product rounds logits between 16 and 32 to steps of 1/8, so scores tie. The weights keep their precision;
only the product with the last hidden states, which are few, is computed in float32. It replaces the head itself, so
anything that the model does to its logits afterwards (soft caps, scales) is also in float32. Sampling uses the same
head, so greedy answers tie no more often than scored answers.

Each call converts the head to float32 one part at a time. A copy of the whole head would take 2.4 GB for
152,000 tokens of 4,096 numbers, and would be no faster if parts fit in the processor's cache. On CUDA nothing is
converted if the library supports it: it multiplies states and weights in their own precision, adds in float32 and
returns the unrounded sums. Nothing is lost before the sums, because the product of two numbers of 8 or 11 significant
bits fits the 24 bits of float32. A GPU's matrix units truncate sums instead of rounding them: the error is 5e-6 of the
largest logit at 4,096 numbers, compared with 1e-6 for conversion by parts and 2e-3 for results in bfloat16. Loading a
model tests this support. Models in float32 are unchanged.

N = positions, V = vocabulary, D = width of the hidden states.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

CPU_PART, GPU_PART = 2**20, 2**24
"""The weights converted to float32 at once: 4 MiB, which fits a processor's cache; 64 MiB."""
WITHIN = 1e-4
"""The largest error of a product with float32 sums, as a share of the largest logit."""
TRIED = 16
"""The positions that test the product, with 64 times as many tokens, spread over the vocabulary."""
CANNOT = "The model's output head cannot be computed in float32: equal log-probabilities may come from rounding."


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
    """Return the product (..., V) of ``states`` (..., D), with one part of the weights in float32 at a time."""
    part = CPU_PART if states.device.type == "cpu" else GPU_PART
    rows = max(1, part // weight_VD.shape[1])
    wide = states.float()
    return torch.cat([linear(wide, part_VD.float()) for part_VD in torch.split(weight_VD, rows)], dim=-1)


def unrounded(states: Tensor, weight_VD: Tensor) -> Tensor:
    """Return the product (..., V) of ``states`` (..., D) in the weights' precision, with sums in float32."""
    states_ND = states.reshape(-1, states.shape[-1])
    logits_NV = torch.mm(states_ND, weight_VD.T, out_dtype=torch.float32)
    return logits_NV.view(*states.shape[:-1], -1)


def sums_in_float32(weight_VD: Tensor) -> bool:
    """Return whether ``unrounded`` equals float64 up to float32 sums; needs CUDA and torch 2.8."""
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
