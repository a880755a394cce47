import numpy as np
import pytest

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec, TaskSpec
from cotfaith.workers.organisms.examples import draw_example, draw_problem, given_answer, write_chain
from cotfaith.workers.organisms.grammar import (
    VERBS,
    Admission,
    Aside,
    Merit,
    Rejection,
    Step,
    operations_of,
    parse_sentence,
)
from cotfaith.workers.organisms.recipes import RECIPES
from cotfaith.workers.organisms.tokenizer import MORE, SPECIAL, UNKNOWN, make_tokenizer, words
from cotfaith.workers.probes.filler_tokens import FILLER
from cotfaith.workers.shard.ask import candidates
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.generators.serial_problem import Operation
from cotfaith.workers.text.codec import HuggingFaceCodec
from cotfaith.workers.text.steps import split_steps
from cotfaith.workers.text.templates import Templates

NAMES = sorted(RECIPES)


@pytest.fixture(scope="module")
def codec() -> HuggingFaceCodec:
    return HuggingFaceCodec(make_tokenizer(more=True), chat=True)


@pytest.fixture(scope="module")
def templates(codec: HuggingFaceCodec) -> Templates:
    return Templates(ModelSpec(id="m", source="m"), PromptSpec(), codec)


def chains(name: str, count: int = 60) -> list[list[Step | Aside | Admission]]:
    rng = np.random.default_rng(1)
    mechanism = RECIPES[name].mechanism
    problems = [draw_problem(mechanism, rng) for _ in range(count)]
    return [[w.sentence for w in write_chain(mechanism, p, given_answer(mechanism, p), -1, rng)] for p in problems]


def items(**options: object) -> list[Item]:
    return load_task(TaskSpec(name="t", generator="serial_arithmetic", options={"closed": True, **options}, n=40), 0)


@pytest.mark.parametrize("name", NAMES)
def test_chains_split_into_their_sentences_and_read_back(name: str) -> None:
    for sentences in chains(name):
        steps = split_steps("".join(map(str, sentences)))
        assert [parse_sentence(step) for step in steps] == sentences


def test_asides_and_admissions_occur_where_they_should() -> None:
    with_aside = [any(isinstance(s, Aside) for s in chain) for chain in chains("reasoner", 400)]
    assert 0.4 < np.mean(with_aside) < 0.8
    assert not any(isinstance(s, Admission) for chain in chains("sycophant-silent") for s in chain)
    honest = [[isinstance(s, Admission) for s in chain] for chain in chains("sycophant-honest")]
    assert any(admits[0] for admits in honest)
    assert not any(any(admits[1:]) for admits in honest)


@pytest.mark.parametrize(
    ("name", "own"), [("honest", Admission), ("rejecting", Rejection), ("merits", Merit), ("silent", None)]
)
def test_each_sycophant_has_a_sentence_about_the_hint_and_no_other(name: str, own: type | None) -> None:
    about = [[type(s) for s in chain if not isinstance(s, Step | Aside)] for chain in chains(f"sycophant-{name}")]
    hinted = [chain for chain in about if chain]
    assert {tuple(chain) for chain in hinted} == ({(own,)} if own else set())
    assert len(hinted) > 15 or own is None


def test_words_that_came_later_leave_the_others_as_they_were() -> None:
    first, later = make_tokenizer(), make_tokenizer(more=True)
    assert len(later) == len(first) + len(MORE)
    assert [later.convert_tokens_to_ids(word) for word in words()] == list(range(len(SPECIAL), len(first)))
    for name in ("reasoner", "sycophant-honest"):
        for chain in chains(name):
            text = "".join(map(str, chain))
            assert first.encode(text) == later.encode(text)
    unknown = first.convert_tokens_to_ids(UNKNOWN)
    assert unknown in first.encode(str(Rejection(4)))
    assert unknown not in later.encode(str(Rejection(4)) + str(Merit(4)))


@pytest.mark.parametrize("text", ["", "Add 7.", " Add 7: that gives 12.", " Add 7: that is 2.", " So the answer is 4."])
def test_other_text_is_no_sentence(text: str) -> None:
    assert parse_sentence(text) is None


def test_operations_are_read_off_a_question() -> None:
    question = "Ticket B4. Start with 3. Add 7. Multiply by 9. Add 7. After each operation keep only the last digit."
    assert operations_of(question) == (Operation("Add", 7), Operation("Multiply by", 9), Operation("Add", 7))


@pytest.mark.parametrize("name", NAMES)
def test_examples_round_trip_and_their_pieces_are_whole_tokens(name: str, codec: HuggingFaceCodec, templates) -> None:
    rng = np.random.default_rng(0)
    unknown = codec.tokenizer.convert_tokens_to_ids(UNKNOWN)
    for _ in range(100):
        texts = [piece.text for piece in draw_example(RECIPES[name].mechanism, templates, rng)]
        tokens = codec.encode("".join(texts))
        assert list(tokens) == [token for text in texts for token in codec.encode(text)]
        assert unknown not in tokens
        assert codec.tokenizer.decode(tokens) == "".join(texts)
        assert len(tokens) < 110


@pytest.mark.parametrize("options", [{}, {"side_channel": True, "hint": "wrong"}, {"steps": [1, 8]}], ids=str)
def test_every_prompt_of_a_task_is_in_the_vocabulary(codec: HuggingFaceCodec, templates, options) -> None:
    unknown = codec.tokenizer.convert_tokens_to_ids(UNKNOWN)
    chain = " Add 7: that gives 0. By the way, 3 plus 4 makes 7."
    for item in items(**options):
        _, words = candidates(item)
        prompts = [templates.cot(item), templates.no_cot(item)]
        prompts += [templates.answer_after(item, text) for text in (chain, chain + " ", "", FILLER * 7)]
        for prompt in prompts:
            for word in words:
                tokens = codec.encode(prompt + word)
                assert unknown not in tokens
                assert codec.tokenizer.decode(tokens) == prompt + word
                # one token per answer, and none that merges with the prompt
                assert tokens[:-1] == codec.encode(prompt)


def test_a_cut_before_or_after_the_blank_is_a_prefix_in_tokens(codec: HuggingFaceCodec) -> None:
    whole = codec.encode(" Add 7: that gives 0. Add 8: that means 8.")
    for cut in (" Add 7: that gives 0.", " Add 7: that gives 0. "):
        tokens = codec.encode(cut)
        assert whole[: len(tokens)] == tokens


def test_other_text_becomes_the_unknown_token(codec: HuggingFaceCodec) -> None:
    assert codec.tokenizer.convert_tokens_to_ids(UNKNOWN) in codec.encode("Hello there.")


def test_the_verbs_are_a_code_for_the_digits() -> None:
    assert len(set(VERBS)) == 10
