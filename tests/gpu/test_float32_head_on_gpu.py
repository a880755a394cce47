"""The output head on a GPU: both of its products give a float64 head's logits, up to float32 sums."""

import copy
import itertools
import random

import pytest
import torch
import transformers

from cotfaith.workers.engines.protocol import ScoreRequest
from cotfaith.workers.engines.transformers import float32_head
from cotfaith.workers.engines.transformers.float32_head import (
    CANNOT,
    in_parts,
    sums_in_float32,
    unrounded,
    use_float32_head,
)

pytestmark = pytest.mark.gpu

KINDS = ["llama", "gpt_neox", "gemma2", "gemma3", "mamba", "bloom", "llama4"]
LOW = [(kind, dtype) for kind in KINDS for dtype in (torch.bfloat16, torch.float16)]
LOW.remove(("mamba", torch.float16))  # its states overflow
NOISE = 2e-6
"""The error of float32 sums, as a share of the largest logit. In bfloat16 it is a thousand times as large."""
CUT = 1e-5
"""The same for a sum of 4,096 numbers by a GPU's matrix units, which truncate it instead of rounding it."""


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


@pytest.fixture
def model_of(folder_of, device):
    def load(kind, dtype, **fields):
        folder = folder_of(kind, **fields)
        return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()

    return load


def logits_of(model, tokens):
    with torch.inference_mode():
        return model(torch.tensor([tokens], device=model.device), use_cache=False).logits[0]


def exact_logits(model, tokens):
    """Logits of the same model with its head's product, and all that follows, in float64."""
    model = copy.deepcopy(model)
    head = model.get_output_embeddings()
    weight, bias = head.weight.double(), None if head.bias is None else head.bias.double()
    head.forward = lambda states: torch.nn.functional.linear(states.double(), weight, bias)
    return logits_of(model, tokens)


def equal_neighbours(scores):
    return sum(a == b for row in scores for a, b in itertools.pairwise(sorted(row)))


@pytest.mark.parametrize("whole", [True, False], ids=["unrounded", "in parts"])
@pytest.mark.parametrize(("kind", "dtype"), LOW, ids=str)
def test_logits_are_those_of_a_head_in_float64(model_of, monkeypatch, record_property, kind, dtype, whole):
    if not whole:
        monkeypatch.setattr(float32_head, "sums_in_float32", lambda weight: False)
    model = model_of(kind, dtype)
    expected, rounded = exact_logits(model, ids(12, 1)), logits_of(model, ids(12, 1))
    assert use_float32_head(model)
    logits, scale = logits_of(model, ids(12, 1)), float(expected.abs().max())
    off = float((logits - expected).abs().max()) / scale
    record_property("off", off)
    assert logits.dtype == torch.float32
    assert off < NOISE
    assert float((rounded - expected).abs().max()) > 1e-4 * scale


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("rows", [1, 64, 512])
def test_a_head_of_usual_size_is_as_exact_either_way(device, record_property, rows, dtype):
    generator = torch.Generator().manual_seed(rows)
    weight_VD = (torch.randn(32_000, 4096, generator=generator) * 0.02).to(device, dtype)
    states_ND = torch.randn(rows, 4096, generator=generator).to(device, dtype)
    with torch.inference_mode():
        exact_NV = states_ND.double() @ weight_VD.double().T
        off = {
            product.__name__: float((product(states_ND, weight_VD) - exact_NV).abs().max() / exact_NV.abs().max())
            for product in (unrounded, in_parts)
        }
    record_property("off", off)
    assert sums_in_float32(weight_VD)
    assert off["in_parts"] < NOISE
    assert off["unrounded"] < CUT


def test_states_of_any_shape_keep_it(device):
    weight_VD = torch.randn(300, 64, device=device).bfloat16()
    for shape in [(64,), (3, 64), (2, 3, 64), (1, 1, 64)]:
        states = torch.randn(shape, device=device).bfloat16()
        torch.testing.assert_close(unrounded(states, weight_VD), in_parts(states, weight_VD), rtol=0, atol=1e-4)


def test_a_product_that_rounds_is_noticed(device, monkeypatch):
    weight_VD = torch.randn(300, 64, device=device).bfloat16()
    assert sums_in_float32(weight_VD)
    monkeypatch.setattr(float32_head, "unrounded", lambda states, weight: (states @ weight.T).float())
    assert not sums_in_float32(weight_VD)


@pytest.mark.parametrize("error", [TypeError, RuntimeError, NotImplementedError])
def test_without_such_a_product_parts_are_taken(model_of, monkeypatch, error):
    def cannot(states, weight):
        raise error("no such argument")

    monkeypatch.setattr(float32_head, "unrounded", cannot)
    model = model_of("llama", torch.bfloat16)
    expected = exact_logits(model, ids(12, 1))
    assert use_float32_head(model)
    assert float((logits_of(model, ids(12, 1)) - expected).abs().max()) < NOISE * float(expected.abs().max())


def test_states_that_are_wider_than_the_weights_lose_nothing(device):
    head = torch.nn.Linear(64, 300, bias=False, device=device, dtype=torch.bfloat16)
    states = torch.randn(5, 64, device=device)
    with torch.inference_mode():
        exact = states.double() @ head.weight.double().T
        off = (float32_head._Product(head)(states) - exact).abs().max() / exact.abs().max()
    assert float(off) < NOISE


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "gemma3"])
def test_scores_tie_before_and_not_after(folder_of, engine_of, kind, monkeypatch):
    requests = [ScoreRequest(ids(9, n), tuple((token,) for token in range(256))) for n in range(6)]
    engine = engine_of(folder_of(kind), "bfloat16")
    fine = engine.score(requests)
    monkeypatch.setattr("cotfaith.workers.engines.transformers.engine.use_float32_head", lambda model: False)
    coarse = engine_of(folder_of(kind), "bfloat16").score(requests)
    assert CANNOT not in engine.notes()
    assert equal_neighbours(coarse) > 20
    assert equal_neighbours(fine) <= 1
