"""The loss of a text: every token counts once, after as much of the text as fits; what cannot be done is refused."""

import json
from math import log

import pytest
from commands import in_process

from cotfaith.schemas.errors import InputError
from cotfaith.workers.engines import ENGINES
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.engines.text_loss import text_loss
from cotfaith.workers.text.codec import ByteCodec

TEXT = "".join(chr(97 + at * 7 % 26) for at in range(100))


class Watching:
    """An engine to which every byte is as likely as any, and a byte's own place in ``TEXT`` is known."""

    def __init__(self, max_context=None):
        self.capabilities = Capabilities(generate=False, score=True, prefill=False, max_context=max_context)
        self.requests = []

    def score(self, requests):
        self.requests += requests
        return [tuple(-log(256) * len(one) for one in request.candidates) for request in requests]


class Opened(ByteCodec):
    """Bytes after two tokens that open every text."""

    def encode(self, text):
        return (256, 257, *text.encode())

    def plain(self, text):
        return text


@pytest.mark.parametrize(("codec", "first"), [(ByteCodec(), 1), (Opened(), 0)])
@pytest.mark.parametrize("window", [16, 17, 99, 100, 101, 1024])
def test_every_token_is_counted_once_in_order(codec, first, window):
    engine = Watching()
    found = text_loss(engine, codec, TEXT, window)
    assert (found.n_tokens, found.n_bytes) == (100 - first, 100 - first)
    assert found.per_byte == found.per_token == pytest.approx(log(256))
    counted = [token for request in engine.requests for token in request.candidates[0]]
    assert bytes(counted).decode() == TEXT[first:]


@pytest.mark.parametrize("window", [16, 17, 40])
def test_what_comes_before_a_token(window):
    engine = Watching()
    text_loss(engine, Opened(), TEXT, window)
    done = 0
    for request in engine.requests:
        (candidate,) = request.candidates
        assert request.prompt[:2] == (256, 257)
        before = bytes(request.prompt[2:]).decode()
        assert TEXT[:done].endswith(before)
        assert len(request.prompt) + len(candidate) <= window
        assert not done or len(request.prompt) == window - window // 2
        done += len(candidate)
    assert done == 100


def test_the_models_own_window_is_not_exceeded():
    engine = Watching(max_context=20)
    assert text_loss(engine, ByteCodec(), TEXT).window == 20
    assert max(len(one.prompt) + len(one.candidates[0]) for one in engine.requests) == 20


def test_bytes_are_counted_not_characters():
    assert text_loss(Watching(), ByteCodec(), "aé€").n_bytes == 5
    assert text_loss(Watching(), Opened(), "aé€").n_bytes == 6
    assert text_loss(Watching(), ByteCodec(), "€a").n_bytes == 4  # the first token is a part of a character


@pytest.mark.parametrize(("text", "window", "said"), [("a", 16, "at least two"), (TEXT, 15, "at least 16")])
def test_texts_and_windows_that_are_too_short(text, window, said):
    with pytest.raises(InputError, match=said):
        text_loss(Watching(), ByteCodec(), text, window)


class TestCommand:
    @pytest.fixture
    def spec(self, tmp_path):
        path = tmp_path / "spec.yaml"
        models = [
            {"id": "m", "engine": "uniform", "source": "there"},
            {"id": "judge", "engine": "stub", "roles": ["judge"]},
        ]
        task = {"name": "t", "generator": "addition", "n": 1}
        path.write_text(json.dumps({"models": models, "tasks": [task], "probes": []}))
        (tmp_path / "text.txt").write_text(TEXT)
        return path

    @pytest.fixture
    def uniform(self, monkeypatch):
        """A kind of engine like the stub's that stands for weights."""
        from dataclasses import replace

        stub = ENGINES.things["stub"]
        kind = replace(stub, name="uniform", make=lambda spec, threads: Watching(), served_model=lambda spec: "u")
        monkeypatch.setitem(ENGINES.things, "uniform", kind)

    def test_it_prints_the_loss_of_each_subject(self, spec, uniform, tmp_path):
        done = in_process("loss", spec, "--text", tmp_path / "text.txt", "--json")
        assert done.returncode == 0, done.stderr
        (found,) = json.loads(done.stdout)["losses"]
        about = {"model": "m", "nats_per_token": pytest.approx(log(256)), "tokens": 99, "bytes": 99, "window": 1024}
        assert found == about | {"loss": pytest.approx(log(256))}
        table = in_process("loss", spec, "--text", tmp_path / "text.txt").stdout
        assert "5.5452" in table
        assert "models[].loss" in table

    def test_a_mark_of_byte_order_is_no_text(self, spec, uniform, tmp_path):
        (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
        found = [in_process("loss", spec, "--text", tmp_path / name, "--json") for name in ("text.txt", "marked.txt")]
        first, second = (json.loads(done.stdout)["losses"] for done in found)
        assert first == second

    def test_a_window_that_is_too_short_is_refused_before_any_model_loads(self, spec, tmp_path):
        done = in_process("loss", spec, "--text", tmp_path / "text.txt", "--window", 8)
        assert done.returncode == 2
        assert "Loading" not in done.stderr

    @pytest.mark.parametrize(
        ("content", "said"), [(b"", "no text"), (b" \n", "no text"), (b"\xff\xfe", "UTF-8"), (None, "UTF-8")]
    )
    def test_files_that_are_no_text(self, spec, tmp_path, content, said):
        path = tmp_path / "other.txt"
        if content is not None:
            path.write_bytes(content)
        done = in_process("loss", spec, "--text", path)
        assert (done.returncode, said in done.stderr) == (2, True)

    def test_an_engine_that_foretells_nothing(self, spec, tmp_path):
        spec.write_text(spec.read_text().replace("uniform", "stub"))
        done = in_process("loss", spec, "--text", tmp_path / "text.txt")
        assert done.returncode == 2
        assert "gives no log-probabilities of a text" in " ".join(done.stderr.split())
