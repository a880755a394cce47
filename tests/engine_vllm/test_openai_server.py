"""The contract of engines for the openai engine with a real vLLM server on loopback, and a whole run with it."""

import sys
from contextlib import contextmanager

import pytest
from contract import ids
from contract_models import ModelEngine
from contract_texts import SpellingEngine
from real_servers import free_port, running

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.noise import measure_noise
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import ScoreRequest

QUIET = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",  # otherwise the sampler is compiled, which takes seconds
}


@contextmanager
def serving(folder, log):
    """Serve the model under the name ``tiny`` to clients with the key; yield the base URL."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--api-key", "secret-key"]
    command += ["--dtype", "float32", "--enforce-eager", "--kv-cache-memory-bytes", str(2**28), "--block-size", "32"]
    command += ["--enable-prompt-tokens-details"]  # reports how much of a prompt was cached
    with running(command, f"http://127.0.0.1:{port}/health", log, **QUIET):
        yield f"http://127.0.0.1:{port}/v1"


def spec_of(url, folder):
    options = {"base_url": url, "model": "tiny", "api_key_env": "COTFAITH_TEST_KEY"}
    return ModelSpec(id="served", source=str(folder), engine="openai", options=options)


@pytest.fixture(scope="module")
def spec(folder, tmp_path_factory):
    with serving(folder, tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield spec_of(url, folder)


@pytest.fixture(scope="module", autouse=True)
def _key():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COTFAITH_TEST_KEY", "secret-key")
        yield


@pytest.fixture(scope="module")
def engine(spec):
    return find_engine(spec).make(spec, 1)


class TestServed(ModelEngine):
    pass


class TestServedTexts(SpellingEngine):
    @pytest.fixture(scope="class")
    def speller(self, speller_folder, tmp_path_factory):
        with serving(speller_folder, tmp_path_factory.mktemp("speller") / "log.txt") as url:
            spec = spec_of(url, speller_folder)
            yield find_engine(spec).make(spec, 1)


def test_the_plan_knows_what_the_server_can_do(spec):
    can = find_engine(spec).capabilities(spec)
    assert (can.generate, can.score, can.prefill, can.max_context) == (True, True, True, 256)


def test_the_server_s_prefix_cache_is_used(engine):
    chain = ids(200, 8)
    before = engine.usage()
    engine.score([ScoreRequest(chain[:n], ((40,), (41,))) for n in range(100, 200)])
    asked = engine.usage().prompt_tokens - before.prompt_tokens
    assert engine.usage().computed_tokens - before.computed_tokens < asked / 4


def test_another_model_s_name_is_refused(spec):
    wrong = spec.model_copy(update={"options": spec.options | {"model": "tinny"}})
    with pytest.raises(ModelSourceError, match="Did you mean 'tiny'"):
        find_engine(wrong).capabilities(wrong)


def test_a_wrong_key_is_refused_and_not_shown(spec, monkeypatch):
    from cotfaith.schemas.errors import InputError

    monkeypatch.setenv("COTFAITH_TEST_KEY", "another-key")
    with pytest.raises(InputError, match="COTFAITH_TEST_KEY") as caught:
        find_engine(spec).capabilities(spec)
    assert "another-key" not in str(caught.value)


def test_the_noise_floor_of_a_server_is_measured(spec, engine):
    floor = measure_noise(engine, lambda: load_codec(spec))
    assert (floor.prompts, floor.error) == (2, None)
    assert 0 <= floor.nats < 1e-4  # it computes in float32, which it does not say
    assert floor.assumed == 0.125
