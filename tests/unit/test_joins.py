"""Text and tokens agree at every join, whatever the tokenizer."""

import functools

import pytest
from tokenizer_families import BYTES, FAMILIES

from cotfaith.cluster.plan.tokenizer_notes import tokenizer_notes
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.resolved import resolve
from cotfaith.workers.text.codec import ByteCodec, HuggingFaceCodec
from cotfaith.workers.text.joins import Joins

PROMPT = "Which colour wins? Let's think:"
CHAINS = [" Red cars drive. Blue boats sail!", " Red", " Blue boats sail! So the answer is (A"]
ANY_TEXT = [
    "\n\nRed cars.\n  Blue boats,\ttoo. ",
    "Red",
    " caf\u00e9 \U0001f98a e\u0301 \u05e9\u4e2d! ",
    "\u20ac\u20ac",
    "1,000  cars",
    "  ",
]


@functools.cache
def made(family):
    return FAMILIES[family]()


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False)


def parts(family, chain):
    tokenizer = made(family)
    before, whole = ids(tokenizer, PROMPT), ids(tokenizer, PROMPT + chain)
    assert whole[: len(before)] == before
    return Joins(tokenizer), before, whole[len(before) :]


CASES = [(family, chain) for family in FAMILIES for chain in CHAINS]
CASES += [(family, text) for family in BYTES for text in ANY_TEXT]


@pytest.mark.parametrize(("family", "chain"), CASES)
def test_a_continuation_is_the_text_that_follows(family, chain):
    joins, before, tokens = parts(family, chain)
    assert joins.text_after(before, tokens) == joins.whole_text_after(before, tokens) == chain


@pytest.mark.parametrize(("family", "chain"), CASES)
def test_cut_anywhere_the_two_parts_are_the_whole(family, chain):
    joins, before, tokens = parts(family, chain)
    for n in range(len(tokens) + 1):
        first = joins.whole_text_after(before, tokens[:n])
        assert chain.startswith(first), n
        if "\ufffd" not in joins.text_after(before, tokens[:n]):
            assert first + joins.text_after([*before, *tokens[:n]], tokens[n:]) == chain, n


@pytest.mark.parametrize(("family", "chain"), CASES)
def test_a_text_is_encoded_as_a_continuation(family, chain):
    joins, before, _ = parts(family, chain)
    found = joins.tokens_after(before, chain)
    assert found is not None
    assert joins.text_after(before, found) == chain


def test_by_itself_a_continuation_would_lose_its_space():
    # Decoding without the prompt's end would lose this space.
    _, _, tokens = parts("sentencepiece_legacy", CHAINS[0])
    assert made("sentencepiece_legacy").decode(tokens) == CHAINS[0][1:]
    _, _, tokens = parts("word_level", CHAINS[0])
    assert made("word_level").decode(tokens) == CHAINS[0][1:]


@pytest.mark.parametrize("family", BYTES)
@pytest.mark.parametrize("text", ["a\u20ac", " caf\u00e9", "\u20ac\u20ac", "x\U0001f98a", "\u20ac\u4e2d\U0001f98a"])
def test_half_a_character_at_the_end_is_left_out_and_nothing_before_it(family, text):
    joins, before, tokens = parts(family, text)
    for n in range(len(tokens)):
        found = joins.whole_text_after(before, tokens[:n])
        assert text.startswith(found)
        assert "\ufffd" not in found
        assert len(found.encode()) > len(joins.text_after(before, tokens[:n]).replace("\ufffd", "").encode()) - 4


def test_a_text_that_the_tokenizer_cannot_write_has_no_tokens():
    assert Joins(made("word_level")).tokens_after(ids(made("word_level"), PROMPT), " Zebras") is None


ENDS = {"none": "", "turn": "<|im_end|>", "turn and line": "<|im_end|>\n", "opened": "<|im_start|>"}


@pytest.mark.parametrize("family", BYTES)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("text", ["Red cars", " Red cars", "  Red", "\nRed", "\t\tRed", "\U0001f98a", "\u4e2d\u6587"])
def test_what_follows_a_control_token_gives_the_models_own_tokens_again(family, end, text):
    # After control tokens some encoders add a space that is not in the text.
    codec = HuggingFaceCodec(made(family), chat=True)
    prompt, whole = codec.encode(PROMPT + end), codec.encode(PROMPT + end + text)
    assert whole[: len(prompt)] == prompt
    said = codec.continuation(prompt, whole[len(prompt) :])
    assert codec.encode(PROMPT + end + said) == whole
    assert said in (text, text.removeprefix(" "))


@pytest.mark.parametrize("family", BYTES)
@pytest.mark.parametrize("length", range(1, 8))
def test_a_tail_that_begins_within_a_character_spoils_nothing(family, length):
    before, text = "x" + "\U0001f98a" * length + "\u05e9" * (length % 3), "\u4e2d\u6587 \u05e9\u05dc"
    joins, tokenizer = Joins(made(family)), made(family)
    head, whole = ids(tokenizer, before), ids(tokenizer, before + text)
    assert whole[: len(head)] == head
    assert joins.text_after(head, whole[len(head) :]) == text


def test_nothing_adds_nothing():
    joins = Joins(made("byte_level"))
    assert joins.text_after([1, 2], []) == ""
    assert joins.tokens_after([1, 2], "") == []


@pytest.mark.parametrize("before", [[], [1], "all"])
def test_any_length_of_what_comes_before_will_do(before):
    for family in ("sentencepiece_legacy", "sentencepiece_first", "byte_level"):
        joins, prompt, tokens = parts(family, CHAINS[0])
        found = joins.text_after(prompt if before == "all" else before, tokens)
        assert found.lstrip() == CHAINS[0].lstrip()


def test_bytes_are_cut_at_whole_characters_too():
    assert ByteCodec().continuation((), "a\u20ac".encode()) == "a\u20ac"
    assert ByteCodec().continuation((), "a\u20ac".encode()[:-1]) == "a"
    assert ByteCodec().continuation((), b"a\xffb") == "a\ufffdb"


@pytest.mark.parametrize("template", ["<s> $A </s>", "$A </s>", "<s> $A", "$A"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_prompt_begins_as_the_tokenizer_says_and_ends_where_its_text_ends(family, template):
    tokenizer = FAMILIES[family](template=template)
    opening = [tokenizer.bos_token_id] if template.startswith("<s>") else []
    for text in (PROMPT, PROMPT + CHAINS[0]):
        assert HuggingFaceCodec(tokenizer, chat=False).encode(text) == (*opening, *ids(tokenizer, text))
        assert HuggingFaceCodec(tokenizer, chat=True).encode(text) == tuple(ids(tokenizer, text))


def test_a_text_whose_meaning_is_compared_keeps_the_end_that_its_encoder_knows():
    tokenizer = FAMILIES["byte_level"](template="<s> $A </s>")
    codec = HuggingFaceCodec(tokenizer, chat=False, closes=True)
    assert codec.encode(PROMPT) == tuple(tokenizer(PROMPT)["input_ids"])
    assert codec.encode(PROMPT)[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("family", BYTES)
@pytest.mark.parametrize("text", [PROMPT, *CHAINS, *ANY_TEXT, "<|im_end|> and </s>"])
def test_tokenizers_with_bytes_read_every_text(family, text):
    assert HuggingFaceCodec(made(family), chat=False).unreadable(text) is None


@pytest.mark.parametrize(
    ("family", "text", "near"),
    [
        ("word_level", "Which colour wins?\nRed cars", "\n"),
        ("word_level", "Which zebra wins?", "zebra"),
        ("unigram", "Red \u4e2d cars", "\u4e2d"),
        ("word_ends", "Red  cars drive.", "  "),
        ("unigram", "RED", "RED"),
    ],
)
def test_what_a_tokenizer_changes_or_drops_is_named(family, text, near):
    assert near in HuggingFaceCodec(made(family), chat=False).unreadable(text)


def test_the_plan_says_which_questions_a_model_does_not_see_as_they_are_written(monkeypatch):
    codec = HuggingFaceCodec(made("word_level"), chat=False)
    monkeypatch.setattr("cotfaith.workers.engines.resolved.load_codec", lambda *_: codec)
    known, unknown = Item("a", "Which colour wins?", "1", "number"), Item("b", "Which zebra wins?", "1", "number")
    models = [{"id": name, "source": "s"} for name in "mn"]
    tasks = [{"name": name, "generator": "addition", "models": ["m"] if name == "t" else ["n"]} for name in "tu"]
    subjects = resolve(parse_spec({"models": models, "tasks": tasks}))
    assert tokenizer_notes(subjects, {"t": [known], "u": [known]}) == []
    (note,) = tokenizer_notes(subjects, {"t": [known, unknown]})  # ``n`` does not answer the task
    assert "m on t" in note
    assert "1 of 2 questions" in note
    assert "first: b" in note
