"""The openai engine with another real server, ``transformers serve``, which takes text and returns no scores."""

import sys
from importlib.util import find_spec

import pytest
from contract import greedy
from contract_texts import ANY, AT_THE_END, write
from real_servers import free_port, running
from speller import TEXT, decode

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.protocol import ScoreRequest

if not all(map(find_spec, ("fastapi", "uvicorn", "openai"))):
    pytest.skip("what `transformers serve` needs is not installed: transformers[serving]", allow_module_level=True)


@pytest.fixture(scope="module")
def spec(speller_folder, tmp_path_factory):
    port, cache = free_port(), tmp_path_factory.mktemp("cache")
    (cache / "hub").mkdir()  # it lists the models of its cache, and fails without one
    line = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", line, "serve", str(speller_folder), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--device", "cpu", "--dtype", "float32"]
    quiet = {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    with running(command, f"http://127.0.0.1:{port}/health", cache / "log.txt", **quiet):
        options = {"base_url": f"http://127.0.0.1:{port}/v1", "max_retries": 0, "max_context": 256}
        yield ModelSpec(id="served", source=str(speller_folder), engine="openai", options=options)


@pytest.fixture(scope="module")
def engine(spec):
    return find_engine(spec).make(spec, 1)


def test_what_it_can_do_is_found(spec, engine):
    can = find_engine(spec).capabilities(spec)
    assert (can.generate, can.score, can.prefill, can.max_context) == (True, False, True, 256)
    assert any("as text only" in note for note in engine.notes())
    assert any("no log-probabilities" in note for note in engine.notes())


def test_greedy_completions(engine):
    assert write(engine) == (TEXT, "stop")
    found = engine.generate([greedy(ANY, 5), greedy(AT_THE_END, 60), greedy(ANY, 60)])
    assert [(decode(g.tokens), g.finish_reason) for g in found] == [
        (TEXT[:4], "length"),
        ("", "stop"),
        (TEXT, "stop"),
    ]


@pytest.mark.parametrize("stop", ["a", "\u05e9", "\U0001f98a"])
def test_stop_strings(engine, stop):
    assert write(engine, stop=(stop,)) == (TEXT[: TEXT.index(stop)], "stop")


def test_what_it_refuses_is_said_in_its_words(engine):
    with pytest.raises(EngineError, match="min_tokens"):
        engine.generate([greedy(ANY, 20, min_tokens=3)])
    with pytest.raises(EngineError, match="no log-probabilities"):
        engine.score([ScoreRequest(ANY, ((40,),))])
