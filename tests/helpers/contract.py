"""The contract of every engine, as a test class: a test module derives from it and provides the fixture ``engine``.

``contract_models`` has further duties of engines with weights, ``contract_texts`` their behaviour on known texts.
"""

import math
import random
from dataclasses import replace

import pytest

from cotfaith.schemas.errors import ContextOverflowError, EngineError
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.shard.ask import Request
from cotfaith.workers.shard.loop import dispatch

TOLERANCE = 1e-3  # nats


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(33, 122), k=count))


def request_of(prompt, seed=0, max_tokens=12, temperature=0.8, top_p=0.95, stop=(), min_tokens=0):
    return GenerateRequest(prompt, max_tokens, temperature, top_p, seed, stop, min_tokens)


def greedy(prompt, max_tokens=12, stop=(), min_tokens=0):
    return request_of(prompt, 0, max_tokens, 0.0, 1.0, stop, min_tokens)


class Unstated:
    """An engine that does not state its window, like some servers."""

    def __init__(self, engine):
        self.capabilities = replace(engine.capabilities, max_context=None)
        self.generate, self.score = engine.generate, engine.score


class AnyEngine:
    """The protocol, independent of the weights."""

    def test_samples_reproduce_and_do_not_depend_on_the_batch(self, engine):
        requests = [request_of(ids(3 + 7 * (i % 3), i % 5), seed=i, max_tokens=5 + i % 9) for i in range(14)]
        together = engine.generate(requests)
        assert engine.generate(requests[::-1])[::-1] == together
        assert [engine.generate([r])[0] for r in requests] == together

    def test_a_longer_limit_goes_on_where_a_shorter_one_cut(self, engine):
        """With the same seed a cut text comes out as it was: a run that is widened relies on it."""
        asked = [request_of(ids(9 + n, n), seed=n, max_tokens=5, temperature=0.8 * (n > 0)) for n in range(5)]
        short = engine.generate(asked)
        longer = engine.generate([*(replace(one, max_tokens=12) for one in asked), request_of(ids(30, 9))])
        cut = [at for at, one in enumerate(short) if one.finish_reason == "length"]
        assert cut
        for at, one in enumerate(short):
            assert longer[at].tokens[: len(one.tokens)] == one.tokens
            assert len(longer[at].tokens) > len(one.tokens) or at not in cut

    def test_seeds_differ(self, engine):
        tokens = {
            g.tokens for g in engine.generate([request_of(ids(9, 0), seed=2**60 + s, max_tokens=60) for s in range(8)])
        }
        assert len(tokens) > 4

    def test_greedy_does_not_read_the_seed(self, engine):
        requests = [GenerateRequest(ids(9, 1), 12, 0.0, 1.0, seed) for seed in range(4)]
        assert len({g.tokens for g in engine.generate(requests)}) == 1

    def test_nothing_asked_gives_nothing(self, engine):
        assert engine.score([]) == []
        assert engine.generate([]) == []

    def test_limits_are_kept_and_named(self, engine):
        for limit in (1, 2, 7):
            generations = engine.generate([request_of(ids(9, s), seed=s, max_tokens=limit) for s in range(6)])
            assert all(len(g.tokens) <= limit for g in generations)
            assert all(len(g.tokens) == limit for g in generations if g.finish_reason == "length")

    def test_least_numbers_of_tokens_are_kept(self, engine):
        requests = [request_of(ids(9, s), seed=s, max_tokens=60, min_tokens=20 + 2 * s) for s in range(20)]
        generations = engine.generate(requests)
        for request, generation in zip(requests, generations, strict=True):
            assert request.min_tokens <= len(generation.tokens) <= 60
        assert engine.generate(requests[3:4]) == generations[3:4]

    def test_limits_that_contradict_each_other_are_refused(self, engine):
        with pytest.raises(EngineError, match=r"min_tokens 13.*at most max_tokens 12"):
            engine.generate([greedy(ids(9, 0), max_tokens=12, min_tokens=13)])

    def test_empty_prompts_and_candidates_are_refused(self, engine):
        with pytest.raises(EngineError, match="prompt has no tokens"):
            engine.generate([greedy(ids(9, 0)), greedy(())])
        with pytest.raises(EngineError, match="prompt has no tokens"):
            engine.score([ScoreRequest((), ((40,),))])
        with pytest.raises(EngineError, match="candidate has no tokens"):
            engine.score([ScoreRequest((40,), ((41,), ()))])

    def test_the_loop_makes_a_status_of_an_overflow(self, engine):
        window = engine.capabilities.max_context
        payloads = [
            greedy(ids(5, 0), max_tokens=2),
            greedy(ids(window, 0), max_tokens=2),
            ScoreRequest(ids(window, 0), ((40, 41),)),
            ScoreRequest(ids(5, 0), ((40, 41),)),
        ]
        asked = [Request(payload, lambda _: Status.OK, lambda status, _: status) for payload in payloads]
        expected = [Status.OK, Status.CONTEXT_OVERFLOW, Status.CONTEXT_OVERFLOW, Status.OK]
        assert dispatch(asked, {"subject": engine}) == expected
        assert dispatch(asked, {"subject": Unstated(engine)}) == expected

    def test_a_prompt_longer_than_the_window_is_refused(self, engine):
        window = engine.capabilities.max_context
        with pytest.raises(ContextOverflowError, match=str(window)):
            engine.generate([request_of(ids(5, 0)), request_of(ids(window - 5, 0))])
        with pytest.raises(ContextOverflowError, match=str(window)):
            engine.score([ScoreRequest(ids(window, 0), ((1, 2),))])

    def test_the_window_can_be_filled(self, engine):
        window = engine.capabilities.max_context
        (generation,) = engine.generate([greedy(ids(window - 4, 2), max_tokens=4)])
        assert len(generation.tokens) <= 4
        ((score,),) = engine.score([ScoreRequest(ids(window - 2, 2), ((40, 41),))])
        assert -math.inf < score < 0

    def test_scores_do_not_depend_on_the_batch(self, engine):
        requests = [ScoreRequest(ids(20 + i % 3, i % 4), ((40 + i,), (41, 42))) for i in range(9)]
        together = engine.score(requests)
        for request, scores in zip(requests, together, strict=True):
            assert engine.score([request])[0] == pytest.approx(scores, abs=TOLERANCE)

    def test_a_thousand_requests_in_one_call(self, engine):
        prompts = [ids(3 + i % 20, i % 50) for i in range(1000)]
        generations = engine.generate([request_of(p, seed=i, max_tokens=2) for i, p in enumerate(prompts)])
        assert len(generations) == 1000
        again = engine.generate([request_of(prompts[i], seed=i, max_tokens=2) for i in (0, 499, 999)])
        assert again == [generations[i] for i in (0, 499, 999)]
        scores = engine.score([ScoreRequest(p, ((40 + i % 7,),)) for i, p in enumerate(prompts)])
        assert len(scores) == 1000
        assert engine.score([ScoreRequest(prompts[777], ((40 + 777 % 7,),))])[0] == pytest.approx(
            scores[777], abs=TOLERANCE
        )

    def test_usage_counts_each_prompt_whole(self, engine):
        before = engine.usage()
        prompt = ids(30, 77)
        generated = engine.generate([greedy(prompt, 3), greedy(prompt, 3)])
        engine.score([ScoreRequest(prompt, ((40,), (41,)))])
        after = engine.usage()
        assert after.prompt_tokens - before.prompt_tokens == 90
        assert after.generated_tokens - before.generated_tokens == sum(len(g.tokens) for g in generated)
        assert after.computed_tokens > before.computed_tokens
