"""Generation on a GPU gives the CPU's tokens, regardless of what shares the batch, the prefill or the cache."""

import random

import pytest
import torch
import transformers

from cotfaith.workers.engines.protocol import GenerateRequest
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

pytestmark = pytest.mark.gpu

TREES = ["llama", "qwen2", "gpt_neox", "stablelm", "mistral", "gemma3", "qwen2_window"]
KINDS = [*TREES, "mamba", "bloom", "gemma2", "llama4"]


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


def request_of(prompt, seed=0, max_tokens=12, temperature=0.8, stop=()):
    return GenerateRequest(prompt, max_tokens, temperature, 0.95, seed, stop)


def mixed():
    """Prompts of several lengths, some of them equal; each has its own limit and seed."""
    return [request_of(ids(3 + 7 * (i % 3), i % 5), seed=i, max_tokens=5 + i % 9) for i in range(14)]


def relatives():
    """Prompts that share beginnings."""
    return [request_of(ids(40, n % 2) + ids(3 + n, n + 1), seed=n, max_tokens=10 + n) for n in range(9)]


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_text_is_the_cpu_s(folder_of, engine_of, kind):
    requests = [request_of(ids(n, n), temperature=0.0, max_tokens=24) for n in (1, 5, 30, 31, 30, 120)]
    cpu = engine_of(folder_of(kind), device="cpu").generate(requests)
    assert engine_of(folder_of(kind)).generate(requests) == cpu
    assert len({g.tokens for g in cpu}) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_the_cpu_s_and_do_not_depend_on_the_batch(folder_of, engine_of, kind):
    engine = engine_of(folder_of(kind), max_rows=6)
    together = engine.generate(mixed())
    assert engine.generate(mixed()[::-1])[::-1] == together
    assert [engine.generate([r])[0] for r in mixed()] == together
    assert engine_of(folder_of(kind), device="cpu").generate(mixed()) == together


@pytest.mark.parametrize("options", [{}, {"token_budget": 8}, {"max_rows": 2}, {"prefix_tree": "off"}], ids=str)
@pytest.mark.parametrize("kind", TREES)
def test_shared_prefixes_and_places_taken_over_change_no_token(folder_of, engine_of, kind, options):
    engine = engine_of(folder_of(kind), **options)
    expected = [engine_of(folder_of(kind), device="cpu").generate([r])[0] for r in relatives()]
    assert engine.generate(relatives()) == expected


def test_prefixes_that_prompts_share_are_computed_once(folder_of, engine_of):
    engine = engine_of(folder_of("llama"))
    requests = [request_of(r.prompt, max_tokens=1) for r in relatives()]
    engine.generate(requests)
    assert engine.usage().computed_tokens == distinct_tokens([r.prompt for r in requests])


def test_greedy_in_bfloat16_takes_the_likeliest_token(folder_of, engine_of):
    engine = engine_of(folder_of("llama"), "bfloat16")
    prompts = [ids(9, n) for n in range(40)]
    for prompt in prompts:  # one at a time: other batches round hidden states differently
        (generation,) = engine.generate([request_of(prompt, max_tokens=1, temperature=0.0)])
        with torch.inference_mode():
            logits_V = engine.model(torch.tensor([prompt], device=engine.model.device), use_cache=False).logits[0, -1]
        best = float(logits_V.max())
        chosen = generation.tokens[0] if generation.tokens else 257
        assert best - float(logits_V[chosen]) < 0.05


def test_greedy_is_the_library_s_own(folder_of, engine_of):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder_of("llama"), dtype=torch.float32).eval()
    prompt = ids(30, 30)
    whole = model.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False)[0].tolist()
    (got,) = engine_of(folder_of("llama")).generate([request_of(prompt, temperature=0.0, max_tokens=24)])
    assert list(got.tokens) == [token for token in whole[30:] if token != 257]
