import random
from functools import cache
from unittest import mock

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.backends.cuda import cudnn_sdp_enabled, enable_cudnn_sdp

from cotfaith.schemas.errors import ContextOverflowError, EngineError, ModelSourceError, SpecError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.next_tokens import wanted_tokens
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers import tree_attention
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens
from cotfaith.workers.engines.transformers.self_test import TOLERANCE, most_but_noise

WINDOWED = ["mistral", "gemma3", "qwen2_window"]
KINDS = ["llama", "qwen2", "gpt_neox", "stablelm", "llama4", *WINDOWED]


def engine_of(folder, dtype="float32", **options):
    return TransformersEngine(ModelSpec(id="tiny", source=str(folder), dtype=dtype, options=options), threads=1)


@pytest.fixture(scope="module")
def llama(tiny_model):
    return engine_of(tiny_model())


@pytest.fixture(scope="module")
def engines(tiny_model):
    """A function: kind of model -> its engine, loaded once."""
    return cache(lambda kind: engine_of(tiny_model(kind)))


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


def various_requests():
    trunk = ids(60, 1)
    candidates = ((1,), (2, 3, 4), (2, 3), (2, 5), (1, 1))  # (2, 3) is a prefix of another
    prompts = [trunk[:n] for n in (1, 2, 30, 59, 60)] + [trunk[:20] + ids(90, 2), ids(7, 3), trunk, (trunk[1],)]
    prompts.append((*trunk[:30], 2, 3))  # coincides with a candidate's branch
    return [ScoreRequest(p, candidates[: 1 + i % 5]) for i, p in enumerate(prompts)]


def plain_scores(folder, requests):
    """The definition: one forward pass for each prompt and candidate."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    results = []
    for request in requests:
        scores = []
        for candidate in request.candidates:
            tokens_T = torch.tensor([request.prompt + candidate])
            with torch.inference_mode():
                logprobs_TV = model(tokens_T, use_cache=False).logits[0].double().log_softmax(-1)
            start = len(request.prompt) - 1
            scores.append(sum(logprobs_TV[start + i, t].item() for i, t in enumerate(candidate)))
        results.append(tuple(scores))
    return results


def assert_close(got, expected, within=1e-4):
    assert [len(g) for g in got] == [len(e) for e in expected]
    for g, e in zip(got, expected, strict=True):
        assert g == pytest.approx(e, abs=within)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"token_budget": 8}, {"prefix_tree": "off"}, {"attention": "eager"}], ids=str)
def test_scores_equal_plain_scoring(tiny_model, kind, options):
    engine = engine_of(tiny_model(kind), **options)
    assert_close(engine.score(various_requests()), plain_scores(tiny_model(kind), various_requests()))
    assert engine.notes() == []


RECURRENT = ["mamba2", "qwen3_next", "lfm2"]


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("budget", [5, 64, 2048])
def test_models_with_a_state_continue_from_copies_of_it(tiny_model, kind, budget):
    engine = engine_of(tiny_model(kind), token_budget=budget)
    assert engine.notes() == []
    expected = plain_scores(tiny_model(kind), various_requests())
    for requests, values in ((various_requests(), expected), (various_requests()[::-1], expected[::-1])):
        assert_close(engine.score(requests), values)


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_chain_of_a_model_with_a_state_is_computed_once(tiny_model, kind):
    engine = engine_of(tiny_model(kind))
    chain = ids(100, 4)
    requests = [ScoreRequest((*chain[:n], 7, 8), ((1,), (2,))) for n in range(10, 101, 10)]
    assert_close(engine.score(requests), plain_scores(tiny_model(kind), requests))
    assert engine.usage().computed_tokens == distinct_tokens([r.prompt for r in requests])


@pytest.mark.parametrize("kind", ["mamba", "bloom", "gemma2"])
def test_models_that_cannot_attend_to_trees_are_scored_right_and_say_so_once(tiny_model, kind):
    engine = engine_of(tiny_model(kind))
    for _ in range(2):
        assert_close(engine.score(various_requests()), plain_scores(tiny_model(kind), various_requests()))
    (note,) = engine.notes()
    assert "one per row" in note


def test_attention_in_chunks_shares_prefixes_of_any_length(tiny_model):
    engine = engine_of(tiny_model("llama4"))
    chain = ids(100, 4)  # chunks of 32
    requests = [ScoreRequest((*chain[:n], 7, 8), ((1,), (2,))) for n in range(5, 101, 5)]
    assert_close(engine.score(requests), plain_scores(tiny_model("llama4"), requests))
    assert engine.usage().computed_tokens == distinct_tokens([r.prompt for r in requests])
    assert engine.notes() == []


def test_shared_tokens_are_computed_once(tiny_model):
    engine = engine_of(tiny_model())
    chain = ids(50, 4)
    requests = [ScoreRequest((*chain[:n], 7, 8), ((1,), (2, 3))) for n in range(10, 50)] * 2
    engine.score(requests)
    usage = engine.usage()
    assert usage.computed_tokens == distinct_tokens([r.prompt + c[:-1] for r in requests for c in r.candidates])
    assert usage.prompt_tokens == sum(len(r.prompt) for r in requests)


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=14).map(tuple), min_size=1, max_size=10),
    candidates=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple), min_size=1, max_size=3),
    budget=st.integers(1, 40),
    block=st.integers(1, 9),
)
@pytest.mark.parametrize("kind", ["llama", "gemma3", "llama4", "mamba2", "qwen3_next"])
def test_any_set_of_sequences_scores_as_alone(engines, kind, prompts, candidates, budget, block):
    engine = engines(kind)
    requests = [ScoreRequest(prompt, tuple(candidates)) for prompt in prompts]
    with mock.patch.object(tree_attention, "BLOCK", block), torch.inference_mode():
        together = engine._shared(wanted_tokens(requests), budget)
    for request in requests:
        alone = engine._by_rows(wanted_tokens([request]))
        for prefix, values in alone.items():
            assert {token: together[prefix][token] for token in values} == pytest.approx(values, abs=1e-4)


def test_a_chain_longer_than_the_budget_shares_its_prefixes_all_the_same(tiny_model):
    engine = engine_of(tiny_model(), token_budget=32)
    chain = ids(200, 4)
    requests = [ScoreRequest((*chain[:n], 7, 8), ((1,), (2,))) for n in range(0, 201, 10)]
    assert_close(engine.score(requests), plain_scores(tiny_model(), requests))
    assert engine.usage().computed_tokens == distinct_tokens([r.prompt for r in requests])


def test_nothing_asked_gives_nothing(llama):
    assert llama.score([]) == []
    assert llama.generate([]) == []


def test_low_precision_loads_and_comes_near(tiny_model):
    engine = engine_of(tiny_model(), dtype="bfloat16")
    assert engine.notes() == []
    assert_close(engine.score(various_requests()), plain_scores(tiny_model(), various_requests()), within=1.0)


def request_of(prompt, seed=0, max_tokens=12, temperature=0.8, stop=()):
    return GenerateRequest(prompt, max_tokens, temperature, 0.95, seed, stop)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_equals_the_library_s_own_generation(tiny_model, kind):
    engine = engine_of(tiny_model(kind))
    prompts = [ids(n, n) for n in (1, 5, 30, 31, 30)]
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model(kind), dtype=torch.float32).eval()
    got = engine.generate([request_of(p, temperature=0.0) for p in prompts])
    for prompt, generation in zip(prompts, got, strict=True):
        tokens_T = torch.tensor([prompt])
        mask_T = torch.ones_like(tokens_T)
        whole = model.generate(tokens_T, attention_mask=mask_T, max_new_tokens=12, do_sample=False)[0].tolist()
        new = [t for t in whole[len(prompt) :] if t != 257]
        assert list(generation.tokens) == new
        assert generation.finish_reason == ("stop" if 257 in whole[len(prompt) :] else "length")


@pytest.mark.parametrize("kind", [*KINDS, "mamba", "bloom", "llama4"])
def test_samples_reproduce_and_do_not_depend_on_the_batch(tiny_model, kind):
    requests = [request_of(ids(3 + 7 * (i % 3), i % 5), seed=i, max_tokens=5 + i % 9) for i in range(14)]
    engine = engine_of(tiny_model(kind), max_rows=6)
    together = engine.generate(requests)
    assert engine.generate(requests[::-1])[::-1] == together
    assert [engine.generate([r])[0] for r in requests] == together


def test_cudnn_is_kept_out_of_attention_and_let_in_again(tiny_model):
    before = cudnn_sdp_enabled()
    enable_cudnn_sdp(True)
    engine = engine_of(tiny_model())
    seen = []
    engine.model.register_forward_hook(lambda *_: seen.append(cudnn_sdp_enabled()))
    engine.score(various_requests())
    scored = len(seen)
    engine.generate([request_of(ids(9, 0))])
    assert not any(seen)
    assert 0 < scored < len(seen)
    assert cudnn_sdp_enabled()
    enable_cudnn_sdp(before)


def test_seeds_differ(llama):
    tokens = {g.tokens for g in llama.generate([request_of(ids(9, 0), seed=s) for s in range(8)])}
    assert len(tokens) > 4


def test_identical_prompts_are_computed_once(tiny_model):
    engine = engine_of(tiny_model())
    engine.generate([request_of(ids(40, 0), seed=s, max_tokens=1) for s in range(8)])
    assert engine.usage().computed_tokens == 40


@pytest.mark.parametrize("kind", ["llama", *WINDOWED])
def test_prefixes_that_prompts_share_are_computed_once(tiny_model, kind):
    engine = engine_of(tiny_model(kind))
    prompts = [ids(40, 0) + ids(3 + n, n + 1) for n in range(5)]
    engine.generate([request_of(p, max_tokens=1) for p in prompts])
    assert engine.usage().computed_tokens == distinct_tokens(prompts)


def test_waiting_requests_take_the_places_of_finished_ones(tiny_model):
    requests = [request_of(ids(9, n), seed=n, max_tokens=30 if n == 0 else 3) for n in range(13)]

    def passes(**options):
        engine = engine_of(tiny_model(), max_rows=4, **options)
        counted = []
        engine.model.register_forward_hook(lambda *_: counted.append(1))
        return engine.generate(requests), len(counted)

    refilled, few = passes()
    fixed, many = passes(prefix_tree="off")  # fixed batches: the longest row delays its batch and the next ones
    assert few < many
    assert refilled == fixed


def test_end_of_sequence_stops_and_is_not_returned(llama):
    generations = llama.generate([request_of(ids(9, s), seed=s, max_tokens=200, temperature=3.0) for s in range(30)])
    stopped = [g for g in generations if g.finish_reason == "stop"]
    assert stopped
    assert not any(257 in g.tokens for g in generations)
    assert all(len(g.tokens) == 200 for g in generations if g.finish_reason == "length")


def test_stop_strings_end_the_text_before_them(llama):
    read = llama._decoder.joins.text_after
    requests = [request_of(ids(9, s), seed=s, max_tokens=40) for s in range(6)]
    for request, free in zip(requests, llama.generate(requests), strict=True):
        text = read(request.prompt, free.tokens)
        stop = text[10:13]
        (got,) = llama.generate([request_of(request.prompt, request.seed, 40, stop=("never seen", stop))])
        assert read(request.prompt, got.tokens) == text[: text.index(stop)]
        assert got.finish_reason == "stop"


def test_a_prompt_longer_than_the_window_is_refused_before_any_work(tiny_model):
    engine = engine_of(tiny_model())
    with pytest.raises(ContextOverflowError, match=r"250 tokens.*\(12\).*256"):
        engine.generate([request_of(ids(5, 0)), request_of(ids(250, 0))])
    with pytest.raises(ContextOverflowError):
        engine.score([ScoreRequest(ids(256, 0), ((1, 2),))])
    assert engine.usage().computed_tokens == 0
    assert engine.capabilities.max_context == 256


def test_empty_prompts_and_candidates_are_refused(llama):
    with pytest.raises(EngineError, match="prompt has no tokens"):
        llama.score([ScoreRequest((), ((1,),))])
    with pytest.raises(EngineError, match="candidate has no tokens"):
        llama.score([ScoreRequest((1,), ((),))])


def test_pickled_weights_are_refused(tiny_model, tmp_path):
    folder = tiny_model()
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelSourceError, match="safetensors"):
        engine_of(tmp_path)


def test_a_missing_folder_and_an_unknown_option_are_named(tiny_model):
    with pytest.raises(ModelSourceError, match="/no/such/folder"):
        engine_of("/no/such/folder")
    with pytest.raises(SpecError, match="token_budget"):
        engine_of(tiny_model(), token_budgt=3)


def test_real_model_scores_early_answers_alike(smollm2):
    engine = engine_of(smollm2)
    encode = transformers.AutoTokenizer.from_pretrained(smollm2).encode
    steps = [
        f"Step {n}: if we add {n} to {n + 3} we get {2 * n + 3}, so option {'ABC'[n % 3]} may be it." for n in range(6)
    ]
    question = "Question: what is 3 + 4?\nChoices: (A) 6 (B) 7 (C) 8\nLet's think step by step:\n"
    prompts = [question + "\n".join(steps[:n]) + "\nThe single, most likely answer is (" for n in range(7)]
    candidates = tuple(tuple(encode(c)) for c in ("A", "B", "B)"))
    requests = [ScoreRequest(tuple(encode(p)), candidates) for p in prompts]
    assert_close(engine.score(requests), plain_scores(smollm2, requests))
    assert engine.notes() == []
    assert engine.usage().computed_tokens < engine.usage().prompt_tokens / 2


def test_a_running_call_is_counted_and_forgotten_at_its_end(llama):
    llama.forget()  # a text that is known may end before others begin
    seen = []
    with mock.patch.object(llama, "_tell", side_effect=lambda running: seen.append(running)):
        requests = [GenerateRequest(ids(9, n), 4 + n, 1.0, 1.0, n) for n in range(3)]
        made = llama.generate(requests)
        assert [one.generated_tokens for one in seen[:-1]] == sorted(one.generated_tokens for one in seen[:-1])
        assert seen[-2].generated_tokens >= sum(len(one.tokens) for one in made)
        assert (seen[-2].ended, seen[-2].open, seen[0].open) == (3, 0, 3)
        assert seen[0].limit == 6
        assert seen[-1] == (0, 0, 0, 0, 0)
        seen.clear()
        llama.score(various_requests())
        assert [seen[-2].ended, seen[-1].ended] == [len(various_requests()), 0]


@pytest.mark.parametrize(
    ("gaps", "works"),
    [
        ([4e-4] * 40, True),
        ([6e-4] * 40, False),
        ([1e-5] * 39 + [4e-3], True),  # the noise of a token that nothing predicts
        ([1e-5] * 39 + [6e-3], False),
        ([1e-5] * 35 + [6e-4] * 5, False),  # as many as the nodes of a short branch
    ],
)
def test_the_self_test_allows_few_tokens_more_noise(gaps, works):
    assert (most_but_noise(np.array(gaps)) <= TOLERANCE[torch.float32]) == works


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_whose_branches_see_each_other_is_found_out(kind, tiny_model, monkeypatch):
    assert engine_of(tiny_model(kind)).notes() == []
    monkeypatch.setattr(tree_attention, "_additive", lambda seen_BK, like: like.new_zeros(seen_BK.shape))
    assert "The prefix tree is off (self-test differs" in engine_of(tiny_model(kind)).notes()[0]
