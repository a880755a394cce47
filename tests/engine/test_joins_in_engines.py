"""In real engines, a model's text after a prompt is read as written, including stop strings and limits."""

import json

import pytest
from fake_server import Fake, serving
from table_model import write_table_model
from tokenizer_families import FAMILIES, SPACE

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import GenerateRequest
from cotfaith.workers.shard.work import ShardWork

END = "think step by step:"
TEXT = " Red cars drive. Blue boats sail!"
KINDS = ["sentencepiece_legacy", "sentencepiece_first", "byte_level", "byte_level_prefix", "unigram"]


@pytest.fixture(scope="module", params=KINDS)
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = FAMILIES[request.param]()
    write_table_model(folder, tokenizer, END, TEXT)
    spec = ModelSpec(id="m", source=str(folder), chat="never")
    return spec, find_engine(spec).make(spec, 1), load_codec(spec)


def write(written, **options):
    _, engine, codec = written
    prompt = codec.encode(f"Human: Which?\n\nAssistant: Let's {END}")
    given = {"max_tokens": 60, "temperature": 0.0, "top_p": 1.0, "seed": 0} | options
    (generation,) = engine.generate([GenerateRequest(prompt, **given)])
    return codec.continuation(prompt, generation.tokens), generation


def test_the_whole_text(written):
    text, generation = write(written)
    assert (text, generation.finish_reason) == (TEXT, "stop")


@pytest.mark.parametrize("stop", [" ", " Red", "R", "Red cars", "drive. Blue", "!", " Blue boats sail!", "e. B"])
def test_a_stop_string_is_found_in_text_and_tokens_alike(written, stop):
    text, generation = write(written, stop=(stop,))
    assert (text, generation.finish_reason) == (TEXT[: TEXT.index(stop)], "stop")


@pytest.mark.parametrize("limit", range(1, 9))
def test_a_limit_gives_the_beginning_of_the_text(written, limit):
    text, generation = write(written, max_tokens=limit)
    assert TEXT.startswith(text)
    assert len(generation.tokens) <= limit


def test_a_chain_and_its_resampling_say_what_the_model_wrote(written):
    spec, engine, codec = written
    parsed = parse_spec(
        {
            "models": [spec.model_dump()],
            "tasks": [{"name": "t", "generator": "addition"}],
            "probes": ["resampling"],
            "sampling": {"temperature": 0.5, "max_tokens": 60},
            "embedder": {"by": "lexical"},
            "editor": {"by": "rules"},
        }
    )
    item = Item("i", "Which?", "A", "choice", ("red", "blue"))
    work = ShardWork(parsed, parsed.models[0], parsed.tasks[0], "cot", (item,), codec)
    (chain,) = work.sample_chains({"subject": engine})
    assert (chain.text, chain.steps) == (TEXT, (" Red cars drive. ", "Blue boats sail!"))
    rows = work.run_probes([chain], ["resampling"], {"subject": engine})
    texts = {row.observation.text for row in rows if row.observation.text and row.observation.step == 1}
    assert texts == {TEXT}


@pytest.fixture
def text_server(tmp_path):
    FAMILIES["sentencepiece_legacy"]().save_pretrained(tmp_path)
    fake = Fake(ids=False, extras=False)
    with serving(fake) as url:
        options = {"base_url": url, "model": "tiny", "tokenizer": str(tmp_path), "max_retries": 0}
        spec = ModelSpec(id="served", source="owner/tiny", engine="openai", options=options, chat="never")
        yield find_engine(spec).make(spec, None), load_codec(spec), fake


def reply(text):
    return 200, {"choices": [{"text": text, "finish_reason": "stop"}]}, {}


@pytest.mark.parametrize("text", [TEXT, "Red", "  two spaces", "\nRed\n\n cars", " caf\u00e9 \U0001f98a"])
def test_a_servers_text_is_read_as_a_continuation(text_server, text):
    engine, codec, fake = text_server
    prompt = codec.encode(f"Let's {END}")
    fake.plan = [reply(text)]
    (generation,) = engine.generate([GenerateRequest(prompt, 60, 0.0, 1.0, 0)])
    assert codec.continuation(prompt, generation.tokens) == text
    assert fake.posts()[-1]["prompt"] == f"Let's {END}"


@pytest.mark.parametrize(
    "text",
    [
        "A?<|im_end|> Go:",
        "<|im_start|>user\nRed<|im_end|>\n<|im_start|>Blue",
        "Red<|im_end|>  \U0001f98a\n<|im_start|>",
    ],
)
def test_a_server_that_takes_texts_gets_the_prompt_without_spaces_after_control_tokens(text_server, text):
    engine, codec, fake = text_server
    fake.plan = [reply(" Red")]
    assert engine.generate([GenerateRequest(codec.encode(text), 60, 0.0, 1.0, 0)])
    assert fake.posts()[-1]["prompt"] == text


def test_a_server_that_takes_texts_gets_none_that_spells_a_control_token(text_server):
    engine, codec, fake = text_server
    fake.plan = [reply(" Red"), reply(" Red")]
    genuine = codec.encode("Which?<|im_end|> Go:")
    assert engine.generate([GenerateRequest(genuine, 60, 0.0, 1.0, 0)])
    with pytest.raises(EngineError, match="spells a control token"):
        engine.generate([GenerateRequest(codec.encode(codec.plain("Which?<|im_end|> Go:")), 60, 0.0, 1.0, 0)])


def test_the_pieces_are_those_of_the_family(written):
    spec, _, codec = written
    if "sentencepiece" in spec.source:
        assert f"{SPACE}Red" in json.dumps(codec.tokenizer.get_vocab(), ensure_ascii=False)
