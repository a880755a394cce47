"""Attention of padded rows on the CPU, for models whose query heads share keys and values.

With a mask, the library's "sdpa" copies the keys and values once for each query head of a group, because its CUDA
kernels need that. On a CPU this is most of the cost of a generated token. The attention here computes the same numbers
without the copies. Calls without a mask, and all other devices, go to the library.

B = rows, H = query heads, G = key-value heads, T = new positions, C = columns, R = query heads of a group,
D = head width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from cotfaith.workers.engines.transformers.attention import attention_by, unknown_arguments

NAME = "cotfaith_sdpa"
REPLACED = "sdpa"
KNOWN = frozenset({"dropout", "scaling", "is_causal", "position_ids", "use_cache", "sliding_window"})
"""Arguments that do not change the result of inference, or that the mask already includes."""


@contextmanager
def grouped_attention(model: Any) -> Iterator[None]:
    """Make a model that uses "sdpa" on the CPU use this attention within the block."""
    ordinary = model.config.get_text_config()._attn_implementation
    AttentionInterface.register(NAME, grouped_attention_forward)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    with attention_by(model, NAME if ordinary == REPLACED and model.device.type == "cpu" else ordinary):
        yield


def grouped_attention_forward(
    module: Any,
    query_BHTD: Tensor,
    key_BGCD: Tensor,
    value_BGCD: Tensor,
    attention_mask: Tensor | None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Return attention_BTHD. The signature is the library's."""
    heads, groups = query_BHTD.shape[1], key_BGCD.shape[1]
    if attention_mask is None or heads == groups or unknown_arguments(others, KNOWN):
        attention_BTHD: Tensor = sdpa_attention_forward(
            module, query_BHTD, key_BGCD, value_BGCD, attention_mask, **others
        )[0]
        return attention_BTHD, None
    attend = partial(scaled_dot_product_attention, scale=others.get("scaling"))
    rows, one = len(query_BHTD), query_BHTD.shape[2] == attention_mask.shape[1] == 1
    if one:  # the heads of a group are then like positions that see the same columns, whose keys are read once
        query_BGRD = query_BHTD.reshape(rows, groups, heads // groups, -1)
        mask_B1RC = attention_mask.expand(-1, -1, heads // groups, -1)
        return attend(query_BGRD, key_BGCD, value_BGCD, attn_mask=mask_B1RC).reshape(rows, 1, heads, -1), None
    attention_BHTD = attend(query_BHTD, key_BGCD, value_BGCD, attn_mask=attention_mask, enable_gqa=True)
    return attention_BHTD.transpose(1, 2).contiguous(), None
