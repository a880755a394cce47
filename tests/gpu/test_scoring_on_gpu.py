"""Scores on a GPU equal those of float64 on the CPU: with the prefix tree or one prompt per row, in any batch."""

import random
import statistics

import pytest

from cotfaith.workers.engines.protocol import ScoreRequest
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

pytestmark = pytest.mark.gpu

TREES = ["llama", "qwen2", "gpt_neox", "stablelm", "mistral", "gemma3", "qwen2_window"]
ROWS = ["mamba", "bloom", "gemma2", "llama4"]
WAYS = [{}, {"token_budget": 8}, {"prefix_tree": "off"}, {"attention": "eager"}]
NOISE = 2e-4
"""Nats: what float32 may be off. Matrix products in tf32 are off by ten times as much."""


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


def various_requests():
    trunk = ids(60, 1)
    candidates = ((1,), (2, 3, 4), (2, 3), (2, 5), (1, 1))  # (2, 3) is a prefix of another
    prompts = [trunk[:n] for n in (1, 2, 30, 59, 60)] + [trunk[:20] + ids(90, 2), ids(7, 3), trunk, (trunk[1],)]
    prompts.append((*trunk[:30], 2, 3))  # shares a candidate's branch
    return [ScoreRequest(p, candidates[: 1 + i % 5]) for i, p in enumerate(prompts)]


def early_answers(depth, count):
    """The prompts of early answering: a chain cut at ``count`` places, each followed by the same words."""
    chain = ids(depth, 4)
    return [ScoreRequest((*chain[: depth * n // count], 7, 8), ((1,), (2,))) for n in range(1, count + 1)]


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("kind", TREES)
def test_scores_are_those_of_float64_on_the_cpu(folder_of, engine_of, exact, largest, kind, options):
    engine = engine_of(folder_of(kind), **options)
    assert largest(engine.score(various_requests()), exact(folder_of(kind), various_requests())) < NOISE
    assert engine.notes() == []


def test_the_gpu_is_taken_without_being_asked_for(folder_of, engine_of, device):
    assert engine_of(folder_of("llama"), device="auto").model.device.type == device


@pytest.mark.parametrize("kind", ROWS)
def test_models_without_a_tree_are_scored_right_and_say_so(folder_of, engine_of, exact, largest, kind):
    engine = engine_of(folder_of(kind))
    assert largest(engine.score(various_requests()), exact(folder_of(kind), various_requests())) < NOISE
    (note,) = engine.notes()
    assert "one a row" in note


@pytest.mark.parametrize("kind", ["llama", "gemma3", "mamba"])
def test_scores_do_not_depend_on_the_batch(folder_of, engine_of, largest, kind):
    engine = engine_of(folder_of(kind))
    alone = [engine.score([request])[0] for request in various_requests()]
    assert largest(engine.score(various_requests()), alone) < NOISE


@pytest.mark.parametrize("budget", [100, 512, 2048])
@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_long_chains_go_on_from_pass_to_pass(folder_of, engine_of, exact, largest, kind, budget):
    folder = folder_of(kind, max_position_embeddings=4096)
    engine, requests = engine_of(folder, token_budget=budget), early_answers(1500, 25)
    assert largest(engine.score(requests), exact(folder, requests)) < 5 * NOISE
    assert engine.usage().computed_tokens == distinct_tokens([r.prompt for r in requests])
    assert engine.notes() == []


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("width", [8, 16, 64, 80, 128, 256])
def test_heads_of_every_width_share_prefixes(folder_of, engine_of, largest, width, dtype):
    folder = folder_of("llama", head_dim=width)
    engine, requests = engine_of(folder, dtype), early_answers(150, 10)
    assert engine.notes() == []
    rows = engine_of(folder, dtype, prefix_tree="off").score(requests)
    assert largest(engine.score(requests), rows) < (NOISE if dtype == "float32" else 0.3)


@pytest.mark.parametrize("kind", TREES)
def test_bfloat16_is_no_further_off_in_trees_than_alone(folder_of, engine_of, exact, record_property, kind):
    requests = early_answers(150, 30)
    expected = exact(folder_of(kind), requests)

    def median_gap(**options):
        scores = engine_of(folder_of(kind), "bfloat16", **options).score(requests)
        pairs = [pair for g, e in zip(scores, expected, strict=True) for pair in zip(g, e, strict=True)]
        return statistics.median(abs(a - b) for a, b in pairs)

    tree, alone = median_gap(), median_gap(prefix_tree="off")
    record_property("median_gaps_nats", (tree, alone))
    assert tree < 2 * alone
