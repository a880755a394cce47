"""The output head in float32: models of low precision do not tie, and models in float32 are unchanged."""

import copy
import itertools
import random

import numpy as np
import pytest
import torch
import transformers
from tiny_models import COMMON, byte_tokenizer, config_of

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.precision import FLOAT32_RESOLUTION, bfloat16_step
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers import float32_head
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.float32_head import use_float32_head

KINDS = ["llama", "gpt_neox", "gemma2", "gemma3", "mamba", "bloom", "llama4", "tied", "granite", "cohere", "phi"]
LOW = [(kind, dtype) for kind in KINDS for dtype in (torch.bfloat16, torch.float16)]
LOW.remove(("mamba", torch.float16))  # its states overflow


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


def make_config(kind):
    if kind == "tied":
        return transformers.LlamaConfig(**COMMON, tie_word_embeddings=True)
    if kind == "granite":  # divides its logits
        return transformers.GraniteConfig(**COMMON, logits_scaling=8.0)
    if kind == "cohere":  # multiplies them
        return transformers.CohereConfig(**COMMON, logit_scale=0.0625)
    if kind == "phi":  # its head has a bias
        return transformers.PhiConfig(**COMMON)
    return config_of(kind)


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """A function that writes a model of a kind whose logits are spread out, like a real model's."""
    made = {}

    def make(kind):
        if kind not in made:
            torch.manual_seed(1)
            model = transformers.AutoModelForCausalLM.from_config(make_config(kind))
            with torch.no_grad():
                for weights in model.parameters():
                    weights.mul_(6 if weights.ndim == 2 else 1)
                bias = getattr(model.get_output_embeddings(), "bias", None)
                if bias is not None:
                    bias.normal_()
            made[kind] = tmp_path_factory.mktemp(kind)
            model.save_pretrained(made[kind])
            byte_tokenizer().save_pretrained(made[kind])
        return made[kind]

    return make


def model_of(folder, dtype):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


def engine_of(folder, dtype="float32"):
    return TransformersEngine(ModelSpec(id="tiny", source=str(folder), dtype=dtype), threads=1)


def logits_of(model, tokens):
    with torch.inference_mode():
        return model(torch.tensor([tokens], device=model.device), use_cache=False).logits[0]


def all_tokens(prompts):
    return [ScoreRequest(prompt, tuple((token,) for token in range(256))) for prompt in prompts]


def equal_neighbours(scores):
    return sum(a == b for row in scores for a, b in itertools.pairwise(sorted(row)))


class HeadIn64:
    """The same model with the head's product in float64, and what follows it."""

    def __init__(self, model):
        self.model = copy.deepcopy(model)
        head = self.model.get_output_embeddings()
        weight, bias = head.weight.double(), None if head.bias is None else head.bias.double()
        head.forward = lambda states: torch.nn.functional.linear(states.double(), weight, bias)

    def logits(self, tokens):
        return logits_of(self.model, tokens)


@pytest.mark.parametrize(("kind", "dtype"), LOW, ids=str)
def test_logits_are_those_of_a_head_in_float64(folder_of, kind, dtype):
    model = model_of(folder_of(kind), dtype)
    exact, rounded = HeadIn64(model), logits_of(model, ids(12, 1))
    assert use_float32_head(model)
    logits, expected = logits_of(model, ids(12, 1)), exact.logits(ids(12, 1)).float()
    assert logits.dtype == torch.float32
    scale = float(expected.abs().max())
    assert float((logits - expected).abs().max()) <= 1e-6 * max(1.0, scale)
    assert float((rounded.float() - expected).abs().max()) > 1e-4 * scale


@pytest.mark.parametrize("kind", ["llama", "tied", "granite", "gemma2", "cohere", "phi"])
def test_scores_tie_before_and_not_after(folder_of, kind, monkeypatch):
    requests = all_tokens(ids(9, n) for n in range(6))
    fine = engine_of(folder_of(kind), "bfloat16").score(requests)
    monkeypatch.setattr("cotfaith.workers.engines.transformers.engine.use_float32_head", lambda model: False)
    coarse = engine_of(folder_of(kind), "bfloat16").score(requests)
    assert equal_neighbours(coarse) > 20
    assert equal_neighbours(fine) <= 1
    assert np.abs(np.array(fine) - np.array(coarse)).max() < 0.5


@pytest.mark.parametrize("kind", ["llama", "gemma2", "granite", "tied", "mamba"])
def test_models_in_float32_give_the_same_bits(folder_of, kind, monkeypatch):
    requests = [*all_tokens([ids(9, 0), ids(14, 1)]), ScoreRequest(ids(20, 2), ((1, 2, 3), (4,)))]
    samples = [GenerateRequest(ids(9, n), 12, 0.8, 0.95, n) for n in range(4)]
    engine = engine_of(folder_of(kind))
    got = engine.score(requests), engine.generate(samples)
    monkeypatch.setattr("cotfaith.workers.engines.transformers.engine.use_float32_head", lambda model: True)
    engine = engine_of(folder_of(kind))
    assert (engine.score(requests), engine.generate(samples)) == got


def test_models_in_float32_are_left_alone(folder_of):
    model = model_of(folder_of("llama"), torch.float32)
    before = model.get_output_embeddings().forward
    assert use_float32_head(model)
    assert model.get_output_embeddings().forward == before


def test_the_parts_of_a_large_head_are_put_together(folder_of, monkeypatch):
    model = model_of(folder_of("phi"), torch.bfloat16)
    assert use_float32_head(model)
    whole = logits_of(model, ids(7, 3))
    for part in (1, 32 * 7, 32 * 100, 32 * 258):
        monkeypatch.setattr(float32_head, "CPU_PART", part)
        assert torch.allclose(logits_of(model, ids(7, 3)), whole, atol=1e-5)


def test_weights_stay_as_they_are(folder_of):
    model = model_of(folder_of("tied"), torch.bfloat16)
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    assert use_float32_head(model)
    logits_of(model, ids(7, 3))
    after = model.state_dict()
    assert all(torch.equal(weights, after[name]) for name, weights in before.items())
    assert {weights.dtype for weights in after.values()} == {torch.bfloat16}


class RoundsAgain(transformers.LlamaForCausalLM):
    """A model that converts its logits back to its own precision."""

    def forward(self, *args, **kwargs):
        out = super().forward(*args, **kwargs)
        out.logits = out.logits.to(self.dtype)
        return out


class GoesRoundItsHead(transformers.LlamaForCausalLM):
    """A model that itself multiplies with its head's weights, and calls the result float32."""

    def forward(self, input_ids, **kwargs):
        kwargs.pop("logits_to_keep", None)
        hidden = self.model(input_ids=input_ids, **kwargs).last_hidden_state
        logits = torch.nn.functional.linear(hidden, self.lm_head.weight).float()
        return transformers.modeling_outputs.CausalLMOutputWithPast(logits=logits)


class HasNoHead(transformers.LlamaForCausalLM):
    """A model whose head is not a single layer."""

    def get_output_embeddings(self):
        return None


@pytest.mark.parametrize("cls", [RoundsAgain, GoesRoundItsHead, HasNoHead])
def test_a_head_that_cannot_be_had_in_float32_is_noticed(folder_of, cls, monkeypatch):
    assert not use_float32_head(cls.from_pretrained(folder_of("llama"), dtype=torch.bfloat16).eval())
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", cls.from_pretrained)
    engine = engine_of(folder_of("llama"), "bfloat16")
    assert float32_head.CANNOT in engine.notes()


def test_others_have_no_such_note(folder_of):
    for kind in ("llama", "phi", "gemma2", "mamba"):
        for dtype in ("float32", "bfloat16", "float16"):
            assert float32_head.CANNOT not in engine_of(folder_of(kind), dtype).notes()


def test_the_resolution_is_that_of_the_likeliest_candidate_s_logit(folder_of):
    folder = folder_of("llama")
    requests = [ScoreRequest(ids(9, n), ((40,), (41,), (42,))) for n in range(12)]
    assert {row.resolution for row in engine_of(folder).score(requests)} == {FLOAT32_RESOLUTION}
    engine = engine_of(folder, "bfloat16")
    for request, row in zip(requests, engine.score(requests), strict=True):
        best = request.candidates[row.index(max(row))][0]
        logit = float(logits_of(engine.model, request.prompt)[-1, best])
        assert row.resolution == bfloat16_step(logit)


def test_of_a_candidate_of_several_tokens_the_largest_logit_counts(folder_of):
    engine = engine_of(folder_of("llama"), "bfloat16")
    (row,) = engine.score([ScoreRequest(ids(9, 0), ((40, 41, 42),))])
    logits = logits_of(engine.model, (*ids(9, 0), 40, 41))[-3:]
    steps = [bfloat16_step(float(logits[n, token])) for n, token in enumerate((40, 41, 42))]
    assert row.resolution == max(steps)


def test_greedy_text_takes_the_token_that_is_likeliest_in_float32(folder_of):
    engine = engine_of(folder_of("llama"), "bfloat16")
    prompts = [ids(9, n) for n in range(40)]
    generations = engine.generate([GenerateRequest(prompt, 1, 0.0, 1.0, 0) for prompt in prompts])
    for prompt, generation in zip(prompts, generations, strict=True):
        best = int(logits_of(engine.model, prompt)[-1].argmax())
        assert generation.tokens == (() if best == 257 else (best,))
