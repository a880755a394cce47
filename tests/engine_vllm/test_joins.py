"""In vLLM, a model's text after a prompt is read as written. A separate module: one engine at a time."""

import pytest

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import GenerateRequest

END = "think step by step:"
TEXT = " Red cars drive. Blue boats sail!"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    from table_model import write_table_model
    from tokenizer_families import FAMILIES

    folder = write_table_model(tmp_path_factory.mktemp("table"), FAMILIES["sentencepiece_legacy"](), END, TEXT)
    spec = ModelSpec(id="m", source=str(folder), engine="vllm", options={"cache_gib": 0.25}, chat="never")
    return find_engine(spec).make(spec, 1), load_codec(spec)


def write(written, **options):
    engine, codec = written
    prompt = codec.encode(f"Human: Which?\n\nAssistant: Let's {END}")
    given = {"max_tokens": 60, "temperature": 0.0, "top_p": 1.0, "seed": 0} | options
    (generation,) = engine.generate([GenerateRequest(prompt, **given)])
    return codec.continuation(prompt, generation.tokens), generation.finish_reason


def test_the_whole_text(written):
    assert write(written) == (TEXT, "stop")


@pytest.mark.parametrize("stop", [" ", " Red", "R", "Red cars", "drive. Blue", "!", "e. B"])
def test_a_stop_string_is_found_in_text_and_tokens_alike(written, stop):
    assert write(written, stop=(stop,)) == (TEXT[: TEXT.index(stop)], "stop")
