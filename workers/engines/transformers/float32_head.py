"""The output head in float32, for models whose weights are of lower precision.

A bfloat16 product rounds logits between 16 and 32 to steps of 1/8, so scores tie. The weights keep their precision;
only the product with the last hidden states, which are few, is computed in float32. It replaces the head itself, so
anything that the model does to its logits afterwards (soft caps, scales) is also in float32. Sampling uses the same
head, so greedy answers tie no more often than scored answers.

Each call converts the head to float32 one part at a time. A copy of the whole head would take 2.4 GB for 152,000 tokens
of 4,096 numbers, and would be no faster if parts fit in the processor's cache. Models in float32 are unchanged.

V = vocabulary, D = width of the hidden states.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

CPU_PART, GPU_PART = 2**20, 2**24
"""The weights converted to float32 at once: 4 MiB, which fits a processor's cache; 64 MiB."""
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
        self.used = False

    def __call__(self, states: Tensor) -> Tensor:
        """Return the logits of ``states`` (..., D)."""
        self.used = True
        weight_VD, bias_V = self._head.weight, self._head.bias
        part = CPU_PART if states.device.type == "cpu" else GPU_PART
        rows = max(1, part // weight_VD.shape[1])
        wide = states.float()
        logits = torch.cat([linear(wide, part_VD.float()) for part_VD in torch.split(weight_VD, rows)], dim=-1)
        return logits if bias_V is None else logits + bias_V.float()
