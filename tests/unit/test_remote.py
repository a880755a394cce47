"""How an engine's actor handles errors, without Ray's processes."""

import asyncio
import pickle

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
from ray.exceptions import ActorDiedError, ActorUnavailableError

from cotfaith.schemas.errors import ContextOverflowError, EngineError, EngineLostError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor import remote
from cotfaith.workers.engines.protocol import EngineUsage


def actor_that_raises(error):
    class Engine:
        def score(self, requests):
            raise error

    actor = remote.EngineActor(ModelSpec(id="m", engine="stub"), None)
    actor.merger.engine = Engine()
    return actor


def score(actor):
    return asyncio.run(actor.call("score", []))


def test_a_lost_engine_says_why_and_ends_its_process(monkeypatch):
    codes = []
    monkeypatch.setattr(remote.os, "_exit", codes.append)
    monkeypatch.setattr(remote, "LAST_WORDS_S", 0)

    async def last_call():
        with pytest.raises(EngineLostError, match="out of memory"):
            await actor_that_raises(EngineLostError("out of memory")).call("score", [])
        await asyncio.sleep(0.01)

    asyncio.run(last_call())
    assert codes == [1]


def test_other_errors_cross_as_text():
    with pytest.raises(EngineError, match="KeyError: 'x'"):
        score(actor_that_raises(KeyError("x")))


@pytest.mark.parametrize("kind", [EngineError, ContextOverflowError])
def test_our_own_errors_keep_their_kind_and_words(kind):
    with pytest.raises(kind) as caught:
        score(actor_that_raises(kind("300 tokens")))
    assert type(caught.value) is kind
    assert str(caught.value) == "300 tokens"


class FakeActor:
    """An actor whose ``call`` and ``usage`` give these replies in turn; errors are raised."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.call = self.usage = self

    def remote(self, *_):
        return self.replies.pop(0)


def engine_over(monkeypatch, *replies):
    def get(reply):
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(remote.ray, "get", get)
    monkeypatch.setattr(remote, "_ASK_EVERY_S", 0.0)
    return remote.RemoteEngine(FakeActor(*replies), None)


def unavailable():
    return ActorUnavailableError("out of reach", None)


def died(preempted):
    info = NodeDeathInfo(reason="AUTOSCALER_DRAIN_PREEMPTED" if preempted else "UNEXPECTED_TERMINATION")
    return ActorDiedError(ActorDiedErrorContext(actor_id=b"a" * 16, node_death_info=info))


def test_an_engine_out_of_reach_is_asked_again(monkeypatch):
    assert engine_over(monkeypatch, unavailable(), unavailable(), [(0.5,)]).score([1]) == [(0.5,)]


@pytest.mark.parametrize("preempted", [True, False])
def test_an_engine_that_died_says_whether_its_node_was_preempted(monkeypatch, preempted):
    engine = engine_over(monkeypatch, unavailable(), died(preempted))
    with pytest.raises(EngineLostError, match="process ended: ActorDiedError") as lost:
        engine.score([1])
    assert lost.value.preempted is preempted
    assert pickle.loads(pickle.dumps(lost.value)).preempted is preempted


def test_an_engine_that_stays_out_of_reach_is_lost(monkeypatch):
    monkeypatch.setattr(remote, "UNAVAILABLE_S", -1.0)
    with pytest.raises(EngineLostError, match="ActorUnavailableError"):
        engine_over(monkeypatch, unavailable()).score([1])


def test_the_totals_of_an_engine_that_is_gone_are_nothing(monkeypatch):
    assert engine_over(monkeypatch, died(False)).usage() == EngineUsage()
