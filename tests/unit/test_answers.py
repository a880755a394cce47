import math
from dataclasses import replace

import pytest

from cotfaith.schemas.records import Answer, Item
from cotfaith.schemas.status import Status
from cotfaith.workers.text.answers import is_correct, likelihood, p_gold, read_answer, same_answer, scored_answer
from cotfaith.workers.text.canonical import canonical_number

NUMBER = Item("i", "How many?", "1234", "number")
BOOLEAN = Item("i", "Is it?", "true", "boolean", ("Yes", "No"))
CHOICE = Item("i", "Which?", "B", "choice", ("red", "dark red", "blue"))
TEXT = Item("i", "Who?", "Ada Lovelace.", "text")


@pytest.mark.parametrize(
    ("item", "text", "strict", "loose"),
    [
        (NUMBER, " 1,234.", "1234", "1234"),
        (NUMBER, " $1,234.50 in all", "1234.5", "1234.5"),
        (NUMBER, " the sum of 2 and 3, 5.", None, "5"),
        (NUMBER, " -7", "-7", "-7"),
        (NUMBER, " 2,3", "2.3", "2.3"),
        (NUMBER, ": **42**", "42", "42"),
        (NUMBER, " 18 eggs, not 19", "18", "18"),
        (BOOLEAN, " yes, it is", "true", "true"),
        (BOOLEAN, " clearly no", None, "false"),
        (BOOLEAN, " No. Nobody knows", "false", "false"),
        (CHOICE, "B) dark red", "B", "B"),
        (CHOICE, " C", "C", "C"),
        (CHOICE, "it must be (A)", None, "A"),
        (CHOICE, "the blue one", None, "C"),
        (CHOICE, "Because", None, None),
        (CHOICE, "D)", None, None),
        (TEXT, " Ada Lovelace\nof course", "ada lovelace", "ada lovelace"),
    ],
)
def test_patterns(item, text, strict, loose):
    answer = read_answer(item, text, cut=False)
    assert (answer.strict, answer.loose) == (strict, loose)
    assert answer.value == (strict if strict is not None else loose)
    assert answer.status is (Status.OK if answer.value is not None else Status.UNPARSED)


def test_the_strict_value_counts_unless_the_text_says_another():
    taken_back = read_answer(NUMBER, " 7. Wait, no, it is 8.", cut=False)
    assert (taken_back.status, taken_back.value, taken_back.strict, taken_back.loose) == (Status.OK, "8", "7", "8")
    both = read_answer(NUMBER, " 5. The answer is 6.", cut=False)
    assert (both.status, both.value, both.strict, both.loose) == (Status.UNPARSED, None, "5", "6")
    mismatch = read_answer(CHOICE, "A) blue", cut=False)
    assert (mismatch.status, mismatch.value, mismatch.strict, mismatch.loose) == (Status.UNPARSED, None, "A", "C")


def test_reading_knows_no_gold():
    texts = (" 1234", " 1,234km", " 5 or 6", " B12")
    golds = ("1234", "5", "1/3")
    assert all(len({read_answer(replace(NUMBER, gold=gold), text, cut=False) for gold in golds}) == 1 for text in texts)


def test_nothing_to_read_is_a_status_and_no_answer():
    answer = read_answer(NUMBER, " I cannot say", cut=False)
    assert (answer.status, answer.value, is_correct(NUMBER, answer)) == (Status.UNPARSED, None, None)


def test_a_number_at_the_cut_may_have_lost_digits():
    assert read_answer(NUMBER, " 12", cut=True).status is Status.TRUNCATED
    assert read_answer(NUMBER, " 12 and so", cut=True).value == "12"


@pytest.mark.parametrize(
    ("text", "number"),
    [("18.0", "18"), ("1,234", "1234"), ("-0.50", "-0.5"), ("0", "0"), ("100", "100"), ("x", None), ("-0", "0")],
)
def test_canonical_numbers(text, number):
    assert canonical_number(text) == number


def test_correctness_compares_canonical_forms():
    assert is_correct(NUMBER, read_answer(NUMBER, " 1,234.0", cut=False))
    assert is_correct(TEXT, read_answer(TEXT, " ada  lovelace", cut=False))
    assert is_correct(CHOICE, read_answer(CHOICE, "A", cut=False)) is False


def test_scored_answers():
    answer = scored_answer(("A", "B", "C"), (math.log(0.1), math.log(0.3), math.log(0.1)))
    assert answer.value == "B"
    assert p_gold(CHOICE, answer) == pytest.approx(0.6)
    broken = scored_answer(("A", "B"), (0.0, float("nan")))
    assert (broken.status, broken.value) == (Status.ENGINE_ERROR, None)


def test_same_answer_needs_two_answers():
    ok, failed = Answer(Status.OK, value="1"), Answer(Status.UNPARSED)
    assert same_answer(ok, ok) is True
    assert same_answer(ok, Answer(Status.OK, value="2")) is False
    assert same_answer(ok, failed) is None
    assert same_answer(failed, ok) is None
    assert same_answer(ok, None) is None
    assert same_answer(likelihood("1", -2.0), ok) is None


def test_a_likelihood_chooses_nothing():
    assert likelihood("A", -2.5) == Answer(Status.OK, candidates=("A",), logprobs=(-2.5,))
    for x in (math.nan, math.inf, -math.inf):
        assert likelihood("A", x).status is Status.ENGINE_ERROR
