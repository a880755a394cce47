"""The contract of an engine with real weights, as a test class: its results equal plain transformers.

It needs the fixtures ``engine`` and ``folder``. The folder has the weights (written by ``tiny_models``, kind ``words``)
that the engine runs in float32.
"""

import math
from dataclasses import replace

import pytest
import torch
import transformers
from contract import TOLERANCE, AnyEngine, greedy, ids, request_of

from cotfaith.workers.engines.protocol import ScoreRequest


class Reference:
    """Plain transformers: one forward pass per prompt and candidate, and the library's own greedy search."""

    def __init__(self, folder):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.eos = self.tokenizer.eos_token_id

    def scores(self, request):
        return [self._score(request.prompt, candidate) for candidate in request.candidates]

    def _score(self, prompt, candidate):
        with torch.inference_mode():
            logits_TV = self.model(torch.tensor([prompt + candidate]), use_cache=False).logits[0]
        logprobs_TV = logits_TV.double().log_softmax(-1)
        return sum(logprobs_TV[len(prompt) - 1 + i, token].item() for i, token in enumerate(candidate))

    def greedy(self, prompt, max_tokens):
        tokens_1T = torch.tensor([prompt])
        whole = self.model.generate(
            tokens_1T, attention_mask=torch.ones_like(tokens_1T), max_new_tokens=max_tokens, do_sample=False
        )[0].tolist()
        new = whole[len(prompt) :]
        return tuple(token for token in new if token != self.eos), "stop" if self.eos in new else "length"

    def text(self, tokens):
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)


def written(engine, reference, count=40, max_tokens=40):
    """Sampled continuations, each as (request, tokens, text)."""
    requests = [request_of(ids(9, s), seed=s, max_tokens=max_tokens, temperature=1.5) for s in range(count)]
    generations = engine.generate(requests)
    return [(r, g.tokens, reference.text(g.tokens)) for r, g in zip(requests, generations, strict=True)]


def stopped_at(engine, request, *stops):
    (got,) = engine.generate([request_of(request.prompt, request.seed, request.max_tokens, 1.5, stop=stops)])
    return got


class ModelEngine(AnyEngine):
    """Further duties of an engine with real weights."""

    @pytest.fixture(scope="class")
    def reference(self, folder):
        return Reference(folder)

    def test_greedy_equals_transformers(self, engine, reference):
        prompts = [ids(n, n) for n in (1, 5, 30, 31, 30, 120)]
        for prompt, got in zip(prompts, engine.generate([greedy(p, 24) for p in prompts]), strict=True):
            assert (got.tokens, got.finish_reason) == reference.greedy(prompt, 24)

    def test_scores_equal_plain_scoring(self, engine, reference):
        trunk = ids(60, 1)
        candidates = ((41,), (42, 43, 44), (42, 43), (42, 45), (41, 41))  # (42, 43) is a prefix of another
        prompts = [trunk[:n] for n in (1, 2, 30, 59, 60)] + [trunk[:20] + ids(90, 2), ids(7, 3), trunk, (trunk[1],)]
        prompts.append((*trunk[:30], 42, 43))  # coincides with a candidate's branch
        requests = [ScoreRequest(p, candidates[: 1 + i % 5]) for i, p in enumerate(prompts)]
        for request, got in zip(requests, engine.score(requests), strict=True):
            assert got == pytest.approx(reference.scores(request), abs=TOLERANCE)

    def test_one_token_prompts(self, engine, reference):
        requests = [ScoreRequest((n,), ((40,), (40, 41), (n,))) for n in (33, 70, 121)]
        for request, got in zip(requests, engine.score(requests), strict=True):
            assert got == pytest.approx(reference.scores(request), abs=TOLERANCE)
        for generation in engine.generate([greedy((n,), 3) for n in (33, 70, 121)]):
            assert len(generation.tokens) <= 3

    def test_the_next_tokens_probabilities_sum_to_one(self, engine, reference):
        everything = tuple((token,) for token in range(reference.model.config.vocab_size))
        (scores,) = engine.score([ScoreRequest(ids(12, 5), everything)])
        assert sum(map(math.exp, scores)) == pytest.approx(1, abs=1e-3)

    def test_end_of_sequence_stops_and_is_not_returned(self, engine, reference):
        requests = [request_of(ids(9, s), seed=s, max_tokens=200, temperature=2.0, top_p=1.0) for s in range(24)]
        generations = engine.generate(requests)
        stopped = [g for g in generations if g.finish_reason == "stop"]
        assert stopped
        assert not any(reference.eos in g.tokens for g in generations)
        assert all(len(g.tokens) == 200 for g in generations if g.finish_reason == "length")

    def test_least_numbers_of_tokens_put_the_end_off(self, engine, reference):
        requests = [request_of(ids(9, s), seed=s, max_tokens=200, temperature=2.0, top_p=1.0) for s in range(24)]
        ended = [
            (request, generation.tokens)
            for request, generation in zip(requests, engine.generate(requests), strict=True)
            if generation.finish_reason == "stop"
        ]
        assert ended
        longer = [replace(request, min_tokens=min(200, len(tokens) + 3)) for request, tokens in ended]
        for request, got in zip(longer, engine.generate(longer), strict=True):
            assert len(got.tokens) >= request.min_tokens
            assert reference.eos not in got.tokens

    def test_samples_of_one_prompt_share_its_computation(self, engine):
        prompt, before = ids(200, 11), engine.usage()
        generations = engine.generate([request_of(prompt, seed=s, max_tokens=5) for s in range(8)])
        assert len({g.tokens for g in generations}) > 1
        computed = engine.usage().computed_tokens - before.computed_tokens
        # Backends that share whole blocks recompute less than one block for each sample.
        assert computed <= 200 + 8 * (4 + 32)

    def test_stop_strings_end_the_text_before_them(self, engine, reference):
        for request, _, text in written(engine, reference, count=8):
            stop = text[10:13]
            got = stopped_at(engine, request, "never seen", stop)
            assert reference.text(got.tokens) == text[: text.index(stop)]
            assert got.finish_reason == "stop"

    def test_of_several_stop_strings_the_first_to_end_counts(self, engine, reference):
        request, _, text = max(written(engine, reference, count=8), key=lambda found: len(found[2]))
        late, early = text[20:24], text[8:11]
        got = stopped_at(engine, request, late, early)
        assert reference.text(got.tokens) == text[: min(text.index(early), text.index(late))]

    def test_stop_strings_inside_a_token(self, engine, reference):
        found = 0
        for request, tokens, text in written(engine, reference):
            for n, token in enumerate(tokens):
                piece, start = reference.text([token]), len(reference.text(tokens[:n]))
                inner = piece[1:-1]
                if inner and text[start:].startswith(piece) and text.index(inner) == start + 1:
                    got = stopped_at(engine, request, inner)
                    assert reference.text(got.tokens) == text[: start + 1]
                    assert got.finish_reason == "stop"
                    found += 1
                    break
        assert found > 2

    def test_stop_strings_whose_letters_are_several_tokens(self, engine, reference):
        found = 0
        for request, tokens, text in written(engine, reference, count=120):
            at = next((i for i, c in enumerate(text) if ord(c) > 127 and c != "\ufffd"), None)
            if at is not None and len(text[at].encode()) > 1:
                got = stopped_at(engine, request, text[at])
                assert reference.text(got.tokens) == text[:at]
                assert got.tokens == tokens[: len(got.tokens)]
                found += 1
        assert found > 2
