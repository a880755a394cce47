import math

import pytest

from cotfaith.schemas.errors import CapabilityError, EngineError, SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.roles.embedders import check_embedder, embedder_model, make_embedder
from cotfaith.workers.roles.embedders.lexical import LexicalEmbedder
from cotfaith.workers.roles.embedders.model import ModelEmbedder
from cotfaith.workers.shard.loop import drive
from cotfaith.workers.text.codec import ByteCodec

SAME = 0.8  # Bogdan et al. 2025: less is a different meaning


def compare(a, b):
    ((similarity,),) = drive([LexicalEmbedder().similarities([(a, b)])], {})
    return similarity


class Vectors:
    """An engine that embeds the texts that it knows, and fails on others."""

    def __init__(self, known, window=None):
        self.known = known
        self.capabilities = Capabilities(generate=False, score=False, prefill=False, max_context=window, embed=True)
        self.asked = []

    def embed(self, requests):
        texts = [bytes(request.prompt).decode() for request in requests]
        self.asked.append(texts)
        if any(text not in self.known for text in texts):
            raise EngineError("no")
        return [self.known[text] for text in texts]


class TestLexical:
    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("", ""),
            ("Two makes 2.", "two makes 2"),
            ("So 1,234 + 1 = 1,235.", "So 1234 + 1 = 1235"),
            ("It is 3.0 long.", "It is 3 long."),
            ("Die Größe ist 3.", "die größe ist 3"),
            ("العدد هو 3", "العدد هو 3."),
        ],
    )
    def test_the_same_words_and_numbers_mean_the_same(self, a, b):
        assert compare(a, b) == compare(b, a) == 1.0

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("Step 1 gives 3.", "Step 1 gives 4."),
            ("Alice has the red ball, and gives 3 of her apples to Bob.", "Alice has the red ball, and gives 4 of her "
             "apples to Bob."),
            ("1 + 2 + 3 + 4 + 5 + 6 = 21", "1 + 2 + 3 + 4 + 5 + 6 = 22"),
            ("It is 3 long.", "It is long."),
            ("So 3 + 4.", "So 3 - 4."),
            ("Blood is red.", "Grass grows green."),
            ("Something.", ""),
            ("3", "4"),
        ],
    )  # fmt: skip
    def test_other_words_or_numbers_mean_something_else(self, a, b):
        assert compare(a, b) == compare(b, a) < SAME

    def test_by_hand(self):
        assert compare("a b", "a c") == pytest.approx(0.5)
        assert compare("a a b", "a b") == pytest.approx(3 / math.sqrt(5 * 2))
        assert compare("a 1 2", "a 1 3") == pytest.approx(1 / 3)
        assert compare("a b 1 2", "a c 2 1 1") == pytest.approx(0.5)


class TestModel:
    def run(self, pairs, engine):
        (found,) = drive([ModelEmbedder("e", ByteCodec()).similarities(pairs)], {"embedder": engine})
        return found

    def test_cosines_of_the_engines_vectors(self):
        engine = Vectors({"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0), "between": (0.6, 0.8)})
        pairs = [("east", "north"), ("east", "west"), ("east", "between"), ("between", "north"), ("east", "east")]
        assert self.run(pairs, engine) == pytest.approx([0, -1, 0.6, 0.8, 1])
        assert engine.asked == [["east", "north", "west", "between"]]

    def test_rounding_does_not_leave_the_range(self):
        long = (1.0 + 1e-7, 0.0)
        assert self.run([("a", "b"), ("a", "c")], Vectors({"a": long, "b": long, "c": (-1.0 - 1e-7, 0.0)})) == [1, -1]

    def test_a_text_that_fails_costs_its_own_pairs(self):
        engine = Vectors({"a": (1.0, 0.0), "b": (0.6, 0.8)})
        assert self.run([("a", "b"), ("a", "odd"), ("odd", "b"), ("b", "a")], engine) == [0.6, None, None, 0.6]

    def test_a_text_longer_than_the_window_has_no_similarity(self):
        engine = Vectors({"a": (1.0, 0.0), "long text": (1.0, 0.0)}, window=4)
        assert self.run([("a", "a"), ("a", "long text")], engine) == [1.0, None]

    def test_nothing_to_compare(self):
        assert self.run([], Vectors({})) == []


def spec_of(by="auto", *embedders, engine="embedding"):
    models = [{"id": "m", "engine": "stub"}]
    models += [{"id": name, "source": "there", "engine": engine, "roles": ["embedder"]} for name in embedders]
    tasks = [{"name": "t", "generator": "addition"}]
    return parse_spec({"models": models, "tasks": tasks, "embedder": {"by": by}})


def test_which_embedder():
    assert embedder_model(spec_of()) is None
    assert embedder_model(spec_of("lexical", "e")) is None
    assert embedder_model(spec_of("auto", "e")).id == "e"
    assert embedder_model(spec_of("f", "e", "f")).id == "f"
    assert make_embedder(spec_of()).name == "lexical"


def test_a_model_is_made_into_an_embedder():
    embedder = make_embedder(spec_of("auto", "e", engine="stub"))
    assert (embedder.name, isinstance(embedder, ModelEmbedder)) == ("e", True)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (spec_of("lexcal"), "Unknown embedder 'lexcal'.*'lexical'.*Known: auto, lexical"),
        (spec_of("m", "e"), "Unknown embedder 'm'.*Known: auto, e, lexical.*embedder in its roles"),
        (spec_of("auto", "e", "f"), "auto, but e, f all have the role embedder"),
        (spec_of("auto", "lexical"), "'lexical' is the rule-based embedder"),
    ],
)
def test_wrong_names_are_told(spec, expected):
    for check in (check_embedder, make_embedder):
        with pytest.raises(SpecError, match=expected):
            check(spec)


def test_an_engine_that_cannot_embed_is_refused():
    with pytest.raises(CapabilityError, match="engine 'stub' of model 'e' has no embeddings"):
        check_embedder(spec_of("auto", "e", engine="stub"))
    check_embedder(spec_of("auto", "e"))


def test_options_of_the_engine_are_checked():
    spec = spec_of("auto", "e")
    wrong = spec.models[1].model_copy(update={"options": {"devic": "cpu"}})
    with pytest.raises(SpecError, match="Did you mean 'device'"):
        check_embedder(spec.model_copy(update={"models": (spec.models[0], wrong)}))
