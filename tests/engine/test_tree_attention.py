"""The attention of tree passes equals that of each node's own path, and never has a mask of all pairs."""

import random
from types import SimpleNamespace

import pytest
import torch
import transformers
from tiny_models import COMMON
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cotfaith.workers.engines.transformers import tree_attention
from cotfaith.workers.engines.transformers.prefix_tree import pack
from cotfaith.workers.engines.transformers.tree_attention import NAME, attending, tree_attention_forward
from cotfaith.workers.engines.transformers.tree_passes import run_passes

TAKES = frozenset({"logits_to_keep"})


def model_of(folder, dtype=torch.float32):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


def branches(depth, count):
    """A trunk, and sequences that branch off at ``count`` depths."""
    trunk = ids(depth, 0)
    return [trunk, *(trunk[: depth * n // count] + ids(5, n) for n in range(count))]


def in_trees(model, sequences, budget=4096):
    """The log-probabilities after each sequence."""
    with torch.inference_mode():
        results = list(run_passes(model, TAKES, pack(sequences, budget)))
    rows = {index: result.logits_NV[row] for result in results for index, row in result.row.items()}
    return torch.stack([rows[i] for i in range(len(sequences))]).float().log_softmax(-1)


def alone(model, sequences):
    with torch.inference_mode():
        logits = [model(torch.tensor([s]), use_cache=False, logits_to_keep=1).logits[0, -1] for s in sequences]
    return torch.stack(logits).float().log_softmax(-1)


KINDS = ["llama", "qwen2", "qwen2_window", "gemma3", "gpt_neox", "mistral"]


@pytest.mark.parametrize("kind", KINDS)
def test_windows_and_rotations_see_depths_rather_than_places(tiny_model, kind):
    model = model_of(tiny_model(kind))
    sequences = branches(230, 40)
    for budget in (33, 4096):
        torch.testing.assert_close(in_trees(model, sequences, budget), alone(model, sequences), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_low_precision_comes_near_in_the_median(tiny_model, kind):
    sequences = branches(100, 20)
    gaps = in_trees(model_of(tiny_model(kind), torch.bfloat16), sequences, 50) - alone(
        model_of(tiny_model(kind)), sequences
    )
    plain = alone(model_of(tiny_model(kind), torch.bfloat16), sequences) - alone(model_of(tiny_model(kind)), sequences)
    assert gaps.abs().median() < 2 * plain.abs().median()


@pytest.mark.parametrize("kind", KINDS)
def test_groups_as_rows_of_a_batch_give_the_same(tiny_model, kind, monkeypatch):
    """The way that CUDA takes, on the CPU."""
    model = model_of(tiny_model(kind))
    sequences = branches(60, 9)
    expected = in_trees(model, sequences, 50)
    monkeypatch.setattr(tree_attention, "_attend", tree_attention._attend_in_groups)
    torch.testing.assert_close(in_trees(model, sequences, 50), expected, atol=1e-5, rtol=0)


class Largest(TorchDispatchMode):
    """A recorder of the largest size of any tensor made meanwhile."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.numbers = max([self.numbers, *sizes])
        return out


def test_a_deep_chain_with_many_branches_needs_no_mask_of_all_pairs():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**{**COMMON, "max_position_embeddings": 8192}, num_key_value_heads=2)
    model = transformers.LlamaForCausalLM(config).eval()
    sequences = branches(4096, 50)
    (tree,) = pack(sequences, 10_000)
    with Largest() as largest:
        together = in_trees(model, sequences, 10_000)
    assert len(tree) ** 2 > 16_000_000 > 1_000_000 > largest.numbers > 0
    some = [0, 1, 25, 50]
    torch.testing.assert_close(together[some], alone(model, [sequences[i] for i in some]), atol=1e-4, rtol=0)


def test_other_calls_attend_as_ever(tiny_model):
    model = model_of(tiny_model())
    before = model.config._attn_implementation
    (tree,) = pack(branches(9, 3), 100)
    with pytest.raises(NotImplementedError, match="cannot be replaced"), attending(model, tree):
        pass
    with pytest.raises(IndexError), attending(model, tree):
        model(torch.tensor([[10**6]]))  # no such token
    assert model.config._attn_implementation == before != NAME


FULL, SLIDING = "full_attention", "sliding_attention"


def layer(**config):
    return SimpleNamespace(config=SimpleNamespace(**config), layer_idx=0)


@pytest.mark.parametrize(
    ("module", "arguments", "named"),
    [
        (layer(), {"s_aux": torch.ones(4)}, "s_aux"),
        (layer(), {"softcap": 50.0, "position_bias": None, "output_router_logits": False}, "with softcap$"),
        (layer(layer_types=[SLIDING], sliding_window=8), {}, "window is None"),
        (layer(layer_types=[FULL], sliding_window=8), {"sliding_window": 8}, "window is 8"),
        (layer(sliding_window=8), {}, "window is None"),
        (SimpleNamespace(is_causal=False, config=None), {}, "causal"),
    ],
)
def test_what_it_does_not_know_it_refuses(module, arguments, named):
    nothing = torch.zeros(1, 1, 1, 1)
    with pytest.raises(NotImplementedError, match=named):
        tree_attention_forward(module, nothing, nothing, nothing, None, **arguments)
