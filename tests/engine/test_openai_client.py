"""HTTP with retries, against a fake server on loopback."""

import pickle
import time
from email.utils import formatdate

import pytest
from fake_server import Fake, serving

from cotfaith.schemas.errors import ContextOverflowError, EngineError
from cotfaith.workers.engines.openai import client as openai_client
from cotfaith.workers.engines.openai.client import Client, RefusedError, UnauthorizedError, UnreachableError

KEY = "sk-not-to-be-shown"
BODY = {"model": "tiny", "prompt": [65], "max_tokens": 1}


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def url(fake):
    with serving(fake) as url:
        yield url


@pytest.fixture
def waits(monkeypatch):
    """The seconds that the client wants to wait, recorded without waiting."""
    waited = []
    monkeypatch.setattr(openai_client, "sleep", waited.append)
    return waited


def client_of(url, key=KEY, timeout_s=5, max_retries=3):
    return Client(url, key, timeout_s, max_retries, connections=2)


def test_passing_failures_are_tried_again(fake, url, waits):
    fake.plan = [(500, {}, {}), (503, b"<html>busy</html>", {}), (429, {"error": "slow down"}, {})]
    assert client_of(url).post("/completions", BODY)["choices"][0]["text"] == "B"
    assert len(fake.posts()) == 4
    assert len(waits) == 3
    assert all(0 <= w <= openai_client.LONGEST_WAIT_S for w in waits)


def test_backoff_grows(fake, url, waits):
    client = client_of(url, max_retries=6)
    for _ in range(10):
        fake.plan = [(500, {}, {})] * 6
        client.post("/completions", BODY)
    first, last = waits[0::6], waits[5::6]
    assert max(last) > max(first)


def test_the_server_s_own_wait_is_kept(fake, url, waits):
    date = formatdate(time.time() + 20, usegmt=True)
    fake.plan = [(429, {}, {"Retry-After": "7"}), (503, {}, {"Retry-After": date}), (429, {}, {"Retry-After": "9999"})]
    client_of(url).post("/completions", BODY)
    assert waits[0] == 7
    assert 15 < waits[1] <= 20
    assert waits[2] == openai_client.LONGEST_WAIT_S


def test_tries_end(fake, url, waits):
    fake.plan = [(429, {"error": {"message": "quota"}}, {})] * 9
    with pytest.raises(UnreachableError, match=r"HTTP 429: quota \(4 tries\)"):
        client_of(url).post("/completions", BODY)
    assert len(fake.posts()) == 4


def test_time_runs_out(fake, url, waits):
    fake.delay_s = 0.6
    with pytest.raises(UnreachableError, match="Timeout"):
        client_of(url, timeout_s=0.1, max_retries=1).post("/completions", BODY)


def test_nobody_there(waits):
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9/v1/models: no answer"):
        client_of("http://127.0.0.1:9/v1").get("/models")
    assert len(waits) == 3


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 256 tokens. However, you requested 300.",
        "the request exceeds the available context size, try increasing it",
        "Input is longer than max_model_len",
    ],
)
def test_overflow_is_told_apart(fake, url, waits, message):
    fake.plan = [(400, {"error": {"message": message}}, {})]
    with pytest.raises(ContextOverflowError, match=message[:20]):
        client_of(url).post("/completions", BODY)
    assert len(fake.posts()) == 1
    assert not waits


@pytest.mark.parametrize(("status", "kind"), [(400, RefusedError), (401, UnauthorizedError), (403, UnauthorizedError)])
@pytest.mark.parametrize(
    "shape", ["{}", '{{"error": {{"message": "{}"}}}}', '{{"detail": "{}"}}', '{{"message": "{}"}}']
)
def test_refusals_are_not_tried_again_and_speak_in_the_server_s_words(fake, url, waits, status, kind, shape):
    fake.plan = [(status, shape.format("temperature is too high").encode(), {})]
    with pytest.raises(kind, match=f"HTTP {status}: temperature is too high"):
        client_of(url).post("/completions", BODY)
    assert len(fake.posts()) == 1


def test_no_error_holds_the_key_or_control_characters(fake, url, waits):
    hostile = f"bad key {KEY}\x1b[31m\r\n" + "x" * 5000
    answers = [(s, {"error": {"message": hostile}}, {}) for s in (400, 401, 429, 500)] + [(200, hostile.encode(), {})]
    for answer in answers:
        fake.plan = [answer] * 2
        with pytest.raises(EngineError) as caught:
            client_of(url, max_retries=1).post("/completions", BODY)
        text = str(caught.value)
        assert KEY not in text + repr(caught.value.__context__) + repr(caught.value.__cause__)
        assert text.isprintable()
        assert "[key]" in text
        assert len(text) < 500
        assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_an_answer_that_is_no_object_is_refused(fake, url, waits):
    fake.plan = [(200, b"[1, 2]", {})]
    with pytest.raises(RefusedError, match=r"Expected a JSON object"):
        client_of(url).post("/completions", BODY)
