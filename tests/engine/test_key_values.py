"""What earlier calls computed changes no result beyond float noise, whatever is kept, forgotten or asked again."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cotfaith.schemas.errors import EngineMemoryError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers import tree_passes
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.key_values import KeyValues, LayerShape
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

KINDS = ["llama", "qwen2_window", "gemma3", "gpt_neox"]
CANDIDATES = ((1,), (2, 3), (2,))
SEQUENCE = st.lists(st.integers(0, 3), min_size=1, max_size=24).map(tuple)
CALLS = st.lists(
    st.tuples(st.sampled_from(["score", "generate"]), st.lists(SEQUENCE, min_size=1, max_size=6)),
    min_size=1,
    max_size=6,
)


def engine_of(folder, **options):
    return TransformersEngine(ModelSpec(id="tiny", source=str(folder), dtype="float32", options=options), threads=1)


@pytest.fixture(scope="module")
def engines(tiny_model):
    """A function: kind of model, and options -> its engine, loaded once."""
    return cache(lambda kind, **options: engine_of(tiny_model(kind), **options))


def with_room(engine, tokens):
    """Empty the engine's cache, and give it room for so many tokens."""
    kept = engine._kept
    with torch.inference_mode():
        shapes = tree_passes.layer_shapes(engine.model, engine._takes)
    engine._kept = KeyValues(shapes, tokens * kept.token_size)
    object.__setattr__(engine._decoder, "kept", engine._kept)
    return engine


def generation_of(prompt, max_tokens=6):
    return GenerateRequest(prompt, max_tokens, 0.0, 1.0, 0)


def answers(engine, call, prompts):
    if call == "score":
        return engine.score([ScoreRequest(prompt, CANDIDATES) for prompt in prompts])
    return [g.tokens for g in engine.generate([generation_of(prompt) for prompt in prompts])]


@settings(max_examples=40, deadline=None)
@given(calls=CALLS, room=st.integers(0, 80), budget=st.integers(1, 40))
@pytest.mark.parametrize("kind", KINDS)
def test_any_order_budget_and_eviction_gives_what_plain_scoring_gives(engines, kind, calls, room, budget):
    plain, keeping = engines(kind, prefix_tree="off"), with_room(engines(kind, kept_gb=0.001), room)
    keeping._options = keeping._options.model_copy(update={"token_budget": budget})
    for call, prompts in calls:
        got, expected = answers(keeping, call, prompts), answers(plain, call, prompts)
        if call == "generate":
            assert got == expected
        else:
            assert [len(g) for g in got] == [len(e) for e in expected]
            for g, e in zip(got, expected, strict=True):
                assert g == pytest.approx(e, abs=1e-4)
        assert 0 <= keeping._kept.held <= room


def usage_of(engine, act):
    before = engine.usage()
    act()
    after = engine.usage()
    return after.computed_tokens - before.computed_tokens, after.reused_tokens - before.reused_tokens


def test_a_text_asked_again_costs_its_last_token(engines):
    engine = with_room(engines("llama", kept_gb=0.001), 1000)
    chain = tuple(n % 250 for n in range(100))
    requests = [ScoreRequest(chain[:n], ((1,),)) for n in range(10, 101, 10)]
    assert usage_of(engine, lambda: engine.score(requests)) == (100, 0)
    assert usage_of(engine, lambda: engine.score(requests)) == (10, 90)
    assert usage_of(engine, lambda: engine.score([ScoreRequest((*chain[:50], 7, 8), ((1,),))])) == (2, 50)


def test_a_sampled_chain_is_not_computed_again(engines):
    engine = with_room(engines("llama", kept_gb=0.001), 1000)
    prompts = [(1, 2, 3), (1, 2, 4), (9,)]
    requests = [GenerateRequest(prompt, 40, 0.8, 1.0, seed, min_tokens=40) for seed, prompt in enumerate(prompts)]
    texts = []

    def sample():
        texts.extend(r.prompt + g.tokens for r, g in zip(requests, engine.generate(requests), strict=True))

    computed, _ = usage_of(engine, sample)
    assert computed == distinct_tokens([text[:-1] for text in texts]) == engine._kept.held
    asked = [ScoreRequest(text[:n], ((5,),)) for text in texts for n in (20, 30, len(text) - 1)]
    computed, reused = usage_of(engine, lambda: engine.score(asked))
    assert computed == len(asked)  # the last token of each
    assert computed + reused == distinct_tokens([r.prompt for r in asked])


def test_a_failed_pass_keeps_nothing(engines, monkeypatch):
    engine = with_room(engines("llama", kept_gb=0.001), 1000)
    requests = [ScoreRequest(tuple(range(50)), ((1,),))]

    def fails(*_):
        raise torch.OutOfMemoryError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(engine.model.lm_head, "forward", fails)
        with pytest.raises(EngineMemoryError):
            engine.score(requests)
    assert engine._kept.held == 0
    assert usage_of(engine, lambda: engine.score(requests)) == (50, 0)


def test_the_budget_is_in_bytes_of_all_layers():
    layers = [LayerShape((2, 8), (2, 4), dtype, torch.device("cpu")) for dtype in (torch.float32, torch.bfloat16)]
    kept = KeyValues(layers, 1000)
    assert kept.token_size == (16 + 8) * (4 + 2)
    assert kept.room == 1000 // 144
    assert len(kept.reserve(100)) == kept.held == kept.room


def test_without_a_budget_nothing_is_kept(engines):
    engine = engines("llama", kept_gb=0)
    requests = [ScoreRequest((1, 2, 3), ((1,),))]
    assert [usage_of(engine, lambda: engine.score(requests)) for _ in range(2)] == [(3, 0)] * 2
