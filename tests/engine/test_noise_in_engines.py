"""The noise floor of real engines on tiny models, and of the openai engine on fake servers."""

import math
from collections import Counter
from contextlib import ExitStack

import pytest
from fake_server import Fake, serving
from tiny_models import byte_tokenizer

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.noise import NoiseFloor, measure_noise
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec

KINDS = ["llama", "qwen2", "gemma3", "mamba2"]


def measured(spec):
    """Return the engine's floor, and the engine."""
    engine = find_engine(spec).make(spec, 1)
    return measure_noise(engine, lambda: load_codec(spec)), engine


def local(folder, dtype="float32", **options):
    return measured(ModelSpec(id="tiny", source=str(folder), dtype=dtype, chat="never", options=options))


@pytest.mark.parametrize("options", [{}, {"prefix_tree": "off"}, {"kept_gb": 0.0}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_below_the_assumed_resolution(tiny_model, kind, options):
    floor, engine = local(tiny_model(kind), **options)
    assert (floor.assumed, floor.prompts, floor.error) == (0.001, 2, None)
    assert 0 <= floor.nats < 1e-4
    assert engine.notes() == []
    assert engine.usage().prompt_tokens > 0, "what it asked is counted"
    if kind != "mamba2":
        assert engine.kept_bytes == 0, "nothing of it is kept for the run"


def test_bfloat16_depends_on_the_batch(tiny_model):
    found = {kind: local(tiny_model(kind), "bfloat16")[0] for kind in ("llama", "gpt_neox", "gemma3", "mistral")}
    assert max(floor.nats for floor in found.values()) > 1e-3, found
    assert all(floor.nats < 0.3 and floor.assumed >= 0.001 for floor in found.values()), found


class Company(Fake):
    """A server whose log-probabilities are others in company: when it is asked something for the third time."""

    def __init__(self):
        super().__init__()
        self.times = Counter()

    def logprobs(self, body, tokens, new):
        found = super().logprobs(body, tokens, new)
        with self.lock:
            self.times[tuple(tokens)] += found is not None
        if self.times[tuple(tokens)] == 3:
            found["top_logprobs"] = [{token: value - 0.3 for token, value in found["top_logprobs"][0].items()}]
        return found


class Failing(Fake):
    """A server that answers only to find out what it can do."""

    def complete(self, body):
        return super().complete(body) if len(self.posts()) < 4 else (500, {"error": {"message": "no memory"}}, {})


@pytest.fixture
def served(tmp_path):
    byte_tokenizer().save_pretrained(tmp_path)
    with ExitStack() as stack:

        def start(fake, **options):
            url = stack.enter_context(serving(fake))
            options = {"base_url": url, "model": "tiny", "tokenizer": str(tmp_path), "max_retries": 0} | options
            return measured(ModelSpec(id="s", source="owner/tiny", engine="openai", options=options, chat="never"))

        yield start


@pytest.mark.parametrize("named", [True, False], ids=["named", "echo"])
def test_an_exact_server(served, named):
    fake = Fake(named=named)
    floor, engine = served(fake, price_prompt=1, price_generated=1)
    assert floor == NoiseFloor(0.0, 0.125, 2)
    assert engine.usage().cost > 0, "what it asked is paid for"
    assert len(fake.posts()) < (20 if named else 50)


def test_a_server_that_computes_together_what_is_asked_together(served):
    fake = Company()
    fake.delay_s = 0.1
    floor, _ = served(fake)
    assert fake.most_under_way > 1
    assert floor.nats == pytest.approx(0.3)
    assert "0.3 nats, more than its precision lets expect (0.12" in floor.notes()[0]


def test_a_server_that_cannot_score_is_asked_nothing(served):
    fake = Fake(named=False, echo=False)
    floor, _ = served(fake)
    asked = len(fake.posts())
    assert floor == NoiseFloor(None)
    _, engine = served(fake)
    assert engine.usage().prompt_tokens == 0
    assert len(fake.posts()) == 2 * asked, "finding out what it can do takes as many requests without the floor"


def test_a_server_that_fails_is_a_note(served):
    floor, engine = served(Failing())
    assert floor.nats is None
    assert "no memory" in floor.error
    assert math.isfinite(engine.usage().prompt_tokens)
