"""How an engine's actor handles errors, without Ray's processes."""

import asyncio

import pytest

from cotfaith.schemas.errors import ContextOverflowError, EngineError, EngineLostError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor import remote


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
