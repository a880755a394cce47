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
from cotfaith.workers.engines.transformers.head import Head
from cotfaith.workers.engines.transformers.key_values import KeyValues, LayerShape
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

KINDS = ["llama", "qwen2_window", "gemma3_capped", "gpt_neox"]
HEADS = ["granite", "cohere", "mixtral", "gemma3", "llama4"]
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
    engine._kept = KeyValues(shapes, kept.head, tokens * kept.token_size)
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
            texts = [prompt + tokens for prompt, tokens in zip(prompts, got, strict=True)]
            asked_again(plain, keeping, [text[:-1] for text in texts if len(text) > 1], room)
            again = []
            computed, _ = usage_of(
                keeping, lambda again=again, p=prompts: again.extend(answers(keeping, "generate", p))
            )
            assert again == expected
            assert computed == 0 or distinct_tokens(texts) > room
        else:
            assert_close(got, expected)
            asked_again(plain, keeping, [r + c[:-1] for r in prompts for c in CANDIDATES], room)
        assert 0 <= keeping._kept.held <= room


def asked_again(plain, keeping, texts, room):
    """What a call computed is kept whole if there is place for it; its values are right, wherever they come from."""
    requests = [ScoreRequest(text, CANDIDATES[:1]) for text in texts]
    got = []
    computed, reused = usage_of(keeping, lambda: got.extend(keeping.score(requests)))
    assert_close(got, plain.score(requests))
    distinct = distinct_tokens(texts)
    assert computed + reused == distinct
    if distinct <= room:
        assert computed == 0


def assert_close(got, expected, within=1e-4):
    assert [len(g) for g in got] == [len(e) for e in expected]
    for g, e in zip(got, expected, strict=True):
        assert g == pytest.approx(e, abs=within)


def usage_of(engine, act):
    before = engine.usage()
    act()
    after = engine.usage()
    return after.computed_tokens - before.computed_tokens, after.reused_tokens - before.reused_tokens


@pytest.mark.parametrize("kind", [*KINDS, *HEADS])
def test_a_text_asked_again_costs_only_the_head(engines, kind):
    engine = with_room(engines(kind, kept_gb=0.001), 1000)
    chain = tuple(n % 250 for n in range(100))
    requests = [ScoreRequest(chain[:n], ((1,),)) for n in range(10, 101, 10)]
    longer = [ScoreRequest((*chain[:50], 7, 8), CANDIDATES)]
    assert usage_of(engine, lambda: engine.score(requests)) == (100, 0)
    assert usage_of(engine, lambda: engine.score(requests)) == (0, 100)
    assert usage_of(engine, lambda: engine.score([ScoreRequest((*chain[:50], 7, 8), ((1,),))])) == (2, 50)
    assert usage_of(engine, lambda: engine.score(longer)) == (1, 52)  # the first token of (2, 3)
    assert usage_of(engine, lambda: engine.score([*requests, *longer])) == (0, 103)
    plain = engines(kind, prefix_tree="off")
    for call in (requests, longer, [*longer, *requests]):
        assert_close(engine.score(call), plain.score(call))
    assert engine.notes() == []


@pytest.mark.parametrize("kind", ["gemma3_capped", "granite", "cohere"])
def test_what_comes_after_the_head_matters(engines, kind, monkeypatch):
    """Otherwise these models would not tell whether it is done to kept states."""
    engine = with_room(engines(kind, kept_gb=0.001), 1000)
    requests = [ScoreRequest((5, 6, 7, n), CANDIDATES) for n in range(4)]
    first = engine.score(requests)
    weight_VD = engine.model.get_output_embeddings().weight
    monkeypatch.setattr(Head, "__call__", lambda self, states_ND: states_ND @ weight_VD.T)
    again = engine.score(requests)
    assert max(abs(a - b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True)) > 0.1


def test_what_was_forgotten_is_computed_again(engines):
    engine, plain = with_room(engines("llama", kept_gb=0.001), 60), engines("llama", prefix_tree="off")
    first, second = ([ScoreRequest(tuple(range(start, start + 40)), CANDIDATES[:1])] for start in (0, 100))
    for requests, expected in [(first, (40, 0)), (second, (40, 0)), (first, (20, 20)), (first, (0, 40))]:
        got = []
        assert usage_of(engine, lambda got=got, requests=requests: got.extend(engine.score(requests))) == expected
        assert_close(got, plain.score(requests))


def test_without_a_head_by_itself_the_last_token_is_computed(tiny_model, monkeypatch):
    def fails(*_):
        raise TypeError("no such argument")

    monkeypatch.setattr(Head, "__call__", fails)
    engine = engine_of(tiny_model(), kept_gb=0.001)
    (note,) = engine.notes()
    assert "cost a token" in note
    requests = [ScoreRequest(tuple(range(n)), ((1,),)) for n in range(10, 101, 10)]
    assert usage_of(engine, lambda: engine.score(requests)) == (100, 0)
    assert usage_of(engine, lambda: engine.score(requests)) == (10, 90)
    (text,) = engine.generate([generation_of((3, 4), 9)])
    assert usage_of(engine, lambda: engine.score([ScoreRequest((3, 4, *text.tokens[:-1]), ((1,),))])) == (1, 9)


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
    got = []
    computed, reused = usage_of(engine, lambda: got.extend(engine.score(asked)))
    assert (computed, reused) == (0, distinct_tokens([r.prompt for r in asked]))
    assert_close(got, engines("llama", prefix_tree="off").score(asked))
    (whole,) = [ScoreRequest(texts[0], ((5,),))]
    assert usage_of(engine, lambda: engine.score([whole])) == (1, len(texts[0]) - 1)  # nothing followed its last token


def test_a_text_that_another_row_computed_in_part_has_its_own_states(engines):
    engine, plain = with_room(engines("llama", kept_gb=0.001), 1000), engines("llama", prefix_tree="off")
    prompt = (5, 6, 7)
    requests = [GenerateRequest(prompt, 8, 0.0, 1.0, 0, min_tokens=8)]
    (first,) = plain.generate(requests)
    requests.append(GenerateRequest(prompt + first.tokens[:3], 12, 0.0, 1.0, 0, min_tokens=12))
    engine.generate(requests)  # the second row is kept when the first, and so a part of it, is known
    (second,) = plain.generate(requests[1:])
    text = requests[1].prompt + second.tokens
    asked = [ScoreRequest(text[:n], CANDIDATES) for n in range(1, len(text))]
    got = engine.score(asked)
    assert_close(got, plain.score(asked))


def test_prompts_that_are_known_are_not_computed_again_for_sampling(engines):
    engine, plain = with_room(engines("llama", kept_gb=0.001), 1000), engines("llama", prefix_tree="off")
    prompts = [(1, 2, 3), (1, 2, 4, 5, 6), (9,), (1, 2)]
    requests = [GenerateRequest(prompt, 12, 0.8, 1.0, seed, min_tokens=12) for seed, prompt in enumerate(prompts)]
    expected = [generation.tokens for generation in plain.generate(requests)]
    engine.score([ScoreRequest(prompt, ((1,),)) for prompt in (prompts[1], prompts[2])])
    got = []
    computed, reused = usage_of(engine, lambda: got.extend(g.tokens for g in engine.generate(requests)))
    assert got == expected
    steps = 11 * len(prompts)  # nothing follows the last token of a text
    assert (computed, reused) == (1 + steps, 6)  # the last token of (1, 2, 3); five and one are known
    again = []
    assert usage_of(engine, lambda: again.extend(g.tokens for g in engine.generate(requests))) == (0, 7 + steps)
    assert again == expected


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
    kept = KeyValues(layers, None, 1000)
    assert kept.token_size == (16 + 8) * (4 + 2)
    assert kept.room == 1000 // 144
    assert len(kept.reserve(100)) == kept.held == kept.room


def test_states_are_in_the_budget(engines):
    kept = with_room(engines("llama", kept_gb=0.001), 10)._kept
    keys_and_values, state = 2 * 2 * 2 * 8 * 4, 32 * 4  # layers, both, heads, width, bytes; width, bytes
    assert kept.token_size == keys_and_values + state
    assert kept.room == 10
    pools = [*(pool for pair in kept._pools for pool in pair), kept._states]
    assert sum(pool.nbytes for pool in pools) == kept.room * kept.token_size


def test_without_a_budget_nothing_is_kept(engines):
    engine = engines("llama", kept_gb=0)
    requests = [ScoreRequest((1, 2, 3), ((1,),))]
    assert [usage_of(engine, lambda: engine.score(requests)) for _ in range(2)] == [(3, 0)] * 2
