"""Attention without copies of grouped keys gives the library's numbers."""

import pytest
import torch
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from cotfaith.workers.engines.transformers.grouped_attention import grouped_attention_forward


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("new", [1, 3])
def test_numbers_are_the_librarys(groups: int, masked: bool, new: int) -> None:
    torch.manual_seed(0)
    module = nn.Module()
    module.num_key_value_groups = 6 // groups
    module.is_causal = True
    query = torch.randn(2, 6, new, 8)
    key, value = torch.randn(2, groups, 5, 8), torch.randn(2, groups, 5, 8)
    mask = torch.tensor([[True] * 5, [False] * 2 + [True] * 3])[:, None, None].expand(2, 1, new, 5) if masked else None
    given = {"scaling": 0.3, "dropout": 0.0, "position_ids": None}
    ours, _ = grouped_attention_forward(module, query, key, value, mask, **given)
    theirs, _ = sdpa_attention_forward(module, query, key, value, mask, **given)
    assert ours.shape == (2, new, 6, 8)
    torch.testing.assert_close(ours, theirs)
