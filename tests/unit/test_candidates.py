"""Candidates that a tokenizer cannot distinguish give no scored answer; all others do."""

import pytest
from tokenizer_families import FAMILIES

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec, SamplingSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.roles.editors.organism import OrganismEditor
from cotfaith.workers.roles.embedders.lexical import LexicalEmbedder
from cotfaith.workers.shard.ask import Ask
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.codec import HuggingFaceCodec
from cotfaith.workers.text.templates import Templates

YES_NO = Item("b", "Red cars drive.", "true", "boolean", ("\u0414\u0430", "\u041d\u0435\u0442"))
NUMBERS = Item("n", "How many?", "12", "number", ("12", "13"))
CHOICE = Item("c", "Which?", "A", "choice", ("red", "blue"))


def scored(family, item):
    codec = HuggingFaceCodec(FAMILIES[family](), chat=False)
    templates = Templates(ModelSpec(id="m", source="s"), PromptSpec(), codec)
    editor, embedder = OrganismEditor(), LexicalEmbedder()
    asker = Ask(item, templates, codec, SamplingSpec(), "score", (0,), STRATEGIES["cot"], editor, embedder)
    request = asker.answer_with(" Red cars drive.")
    # Sums of the same tokens are the same, whatever the model.
    return request.interpret([-float(sum(tokens)) for tokens in request.payload.candidates])


@pytest.mark.parametrize(
    ("family", "item"),
    [
        ("unigram", YES_NO),
        ("unigram", NUMBERS),
        ("word_level", YES_NO),
        ("word_level", NUMBERS),
        ("word_ends", NUMBERS),
    ],
)
def test_two_unknown_words_are_no_answer(family, item):
    answer = scored(family, item)
    assert (answer.status, answer.value, answer.tied) == (Status.ITEM_ERROR, None, None)
    assert "writes the candidates" in answer.error
    assert "alike" in answer.error
    assert answer.prompt_tokens


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece_legacy", "sentencepiece_first"])
@pytest.mark.parametrize("item", [YES_NO, NUMBERS, CHOICE])
def test_candidates_that_differ_are_scored(family, item):
    assert scored(family, item).status is Status.OK
