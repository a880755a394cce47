"""Serial depths from configurations against depths that are traced through the models of transformers themselves."""

import pytest
from traced_depth import levels, traced_depth
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from cotfaith.cluster.plan.serial_depth import FAMILIES, serial_depth

D, L = 48, 3
SMALL = {"hidden_size": D, "num_hidden_layers": L, "vocab_size": 64, "pad_token_id": 0}
HEADS = SMALL | {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 100}
MAMBA = SMALL | {"state_size": 8}
TWO_KINDS = {
    "head_dim": 12,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
FEW = {"num_experts": 2, "num_experts_per_tok": 2}
OWN = {
    "gpt2": {"n_embd": D, "n_layer": L, "n_head": 4, "vocab_size": 64},
    "gemma": HEADS | {"head_dim": 12},
    "gemma2": HEADS | TWO_KINDS,
    "gemma3_text": HEADS | TWO_KINDS,
    "mixtral": HEADS | {"num_local_experts": 2, "num_experts_per_tok": 2},
    "qwen3_moe": HEADS | FEW | {"moe_intermediate_size": 30, "head_dim": 12},
    "jamba": HEADS | FEW | {"mamba_dt_rank": 5, "attn_layer_period": 2, "attn_layer_offset": 1},
    "mamba": MAMBA,
    "falcon_mamba": MAMBA,
}
EXPERTS = ("mixtral", "qwen3_moe", "jamba")
LOOSE = 12
"""The most steps by which the bound of a layer may exceed what is traced."""


def small(name):
    return CONFIG_MAPPING[name](**OWN.get(name, HEADS))


def built(config):
    how = {"experts_implementation": "eager"} if config.model_type in EXPERTS else {}
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager", **how).eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bound_holds_and_is_near_what_is_traced(name):
    """Here experts are added, and positions scanned, one after another: the bound takes both two by two."""
    config = small(name)
    model = built(config)
    for n in (1, 2, 20):
        found = serial_depth(config, n)
        in_turn = found.recurrent_layers * 2 * (n - levels(n)) + (L if name in EXPERTS else 0)
        traced = traced_depth(model, n)
        assert traced <= found.operations + in_turn
        assert found.operations <= traced + L * LOOSE


def test_with_more_positions_the_bound_grows_as_what_is_traced():
    """Attention over all positions: two reductions of the softmax, and the sum of the values, in each layer."""
    config = small("llama")
    model = built(config)
    for n in (1, 2, 3, 16, 17, 100):
        grown = serial_depth(config, n).operations - serial_depth(config, 1).operations
        assert grown == traced_depth(model, n) - traced_depth(model, 1) == L * 3 * levels(n)
