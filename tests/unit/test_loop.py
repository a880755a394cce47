import weakref

import pytest

from cotfaith.schemas.errors import EngineError, EngineLostError
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import Capabilities, GenerateRequest, Generation, ScoreRequest
from cotfaith.workers.shard.ask import Request
from cotfaith.workers.shard.loop import Failed, dispatch, drive


class Echo:
    """An engine that returns each prompt, fails on prompts with 13, is lost on 14, and records its batches."""

    capabilities = Capabilities(generate=True, score=True, prefill=True, max_context=10)

    def __init__(self):
        self.batches = []

    def generate(self, requests):
        self.batches.append(("generate", len(requests)))
        self.check(requests)
        return [Generation(r.prompt, "stop") for r in requests]

    def score(self, requests):
        self.batches.append(("score", len(requests)))
        self.check(requests)
        return [tuple(float(t) for t in r.prompt) for r in requests]

    def check(self, requests):
        if any(14 in r.prompt for r in requests):
            raise EngineLostError("gone")
        if any(13 in r.prompt for r in requests):
            raise EngineError("unlucky")


def failed(status, error):
    return (status, error)


def score(*prompt, role="subject"):
    return Request(ScoreRequest(prompt, ((1,), (1, 2))), lambda r: r, failed, role)


def generate(*prompt, max_tokens=1):
    return Request(GenerateRequest(prompt, max_tokens, 0, 1, 0), lambda g: g.tokens, failed)


def test_requests_of_all_coroutines_share_a_batch_per_round_and_kind():
    engine = Echo()

    def probe(i):
        (first,) = yield [generate(i)]
        second = yield [score(i), score(i, i)]
        return first, second

    results = drive([probe(i) for i in range(3)], {"subject": engine})
    assert results == [((i,), [(i,), (i, i)]) for i in range(3)]
    assert engine.batches == [("generate", 3), ("score", 6)]


def test_coroutines_of_different_length_and_empty_rounds():
    def nothing():
        yield from ()
        return "none"

    def twice():
        assert (yield []) == []
        (x,) = yield [score(5)]
        return x

    assert drive([nothing(), twice()], {"subject": Echo()}) == ["none", (5,)]


def test_a_failing_request_costs_itself_alone():
    engine = Echo()
    replies = dispatch([score(i) for i in (1, 2, 13, 4, 5)], {"subject": engine})
    assert replies == [(1,), (2,), (Status.ENGINE_ERROR, "EngineError: unlucky"), (4,), (5,)]


def test_what_a_failed_batch_held_is_let_go_before_its_halves_are_sent():
    class Batch:
        """Stands for the tensors of a call, which its frame holds."""

    held = weakref.WeakSet()

    class Full(Echo):
        def score(self, requests):
            assert not held
            batch = Batch()
            held.add(batch)
            return super().score(requests)

    engine = Full()
    assert dispatch([score(1), score(2), score(13), score(3)], {"subject": engine}) == [
        (1.0,),
        (2.0,),
        (Status.ENGINE_ERROR, "EngineError: unlucky"),
        (3.0,),
    ]


def test_a_raising_coroutine_costs_itself_alone():
    def bad():
        yield [score(1)]
        raise ValueError("bug")

    def good():
        (x,) = yield [score(2)]
        return x

    assert drive([bad(), good()], {"subject": Echo()}) == [Failed("ValueError: bug"), (2,)]


def test_too_long_requests_never_reach_the_engine():
    engine = Echo()
    replies = dispatch([generate(*range(9), max_tokens=2), score(*range(8)), score(*range(9))], {"subject": engine})
    assert replies[0][0] is Status.CONTEXT_OVERFLOW
    assert "Prompt (9 tokens) and continuation (2) exceed the context window (10)" in replies[0][1]
    assert replies[1] == tuple(range(8))
    assert replies[2][0] is Status.CONTEXT_OVERFLOW
    assert engine.batches == [("score", 1)]


def test_a_lost_engine_ends_the_loop():
    def probe():
        yield [score(14), score(1)]

    with pytest.raises(EngineLostError):
        drive([probe()], {"subject": Echo()})


def test_each_role_has_its_engine():
    subject, editor = Echo(), Echo()
    dispatch([score(1), score(2, role="editor"), score(3)], {"subject": subject, "editor": editor})
    assert (subject.batches, editor.batches) == ([("score", 2)], [("score", 1)])
