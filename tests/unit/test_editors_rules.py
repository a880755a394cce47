import re

import pytest

from cotfaith.schemas.status import Status
from cotfaith.workers.roles.editors import EDITORS
from cotfaith.workers.roles.editors.words import DENIALS, OPPOSITES, SYNONYMS

EDITOR = EDITORS["rules"]()


def mistakes(step):
    return {EDITOR.mistake(step, seed).text for seed in range(60)}


@pytest.mark.parametrize(
    ("step", "number"),
    [
        (" So 3 + 4 = 131. ", "131"),
        ("1. It costs 1,234.50 dollars.\n", "50"),
        (" \\( x = \\frac{12}{4} = 3 \\).", "3"),
        (" x = {step} and {0}.", "0"),
        (" الناتج هو ٤٢.", "٤٢"),
    ],
)
def test_the_last_number_becomes_another_of_its_shape(step, number):
    before, _, after = step.rpartition(number)
    for text in mistakes(step):
        assert text.startswith(before)
        assert text.endswith(after)
        new = text[len(before) : len(text) - len(after)]
        assert new != number
        assert len(new) == len(number)
        assert new.isdecimal()
        assert len(new) == 1 or int(new) >= 10 ** (len(new) - 1)
        assert new.isascii() == number.isascii()
        assert sum(a != b for a, b in zip(new, number, strict=True)) == 1
    assert len(mistakes(step)) > 5


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        (" All birds fly.", {" Some birds fly."}),
        (" Then turn left.\n\n", {" Then turn right.\n\n"}),
        (" We multiply x by y.", {" We divide x by y."}),
        (" r = q \\times p\n", {" r = q \\div p\n"}),
        (" Ann arrived before Ben.", {" Ann arrived after Ben."}),
        (" The claim is true or false.", {" The claim is false or false.", " The claim is true or true."}),
        (" The sky is blue.", {" The sky is not blue."}),
        (" The sky is not blue.", {" The sky is blue."}),
        (" He can't swim.", {" He can swim."}),
        ("3. We must go.", {"3. We must not go."}),
    ],
)
def test_words_are_turned_round_or_denied(step, wrong):
    assert mistakes(step) == wrong


@pytest.mark.parametrize("step", ["", "  ", " Hm!", "```\n", "\\[\n", " カラスは黒い。", " **Summary**: "])
def test_nothing_to_change_is_a_status(step):
    for edit in (EDITOR.mistake(step, 0), EDITOR.paraphrase(step, 0)):
        assert (edit.text, edit.changed, edit.plausible, edit.status) == (step, False, None, Status.EDIT_FAILED)
        assert edit.error


def test_list_marks_are_no_numbers():
    assert EDITOR.mistake(" \n2. The sky is blue.", 1).text == " \n2. The sky is not blue."


@pytest.mark.parametrize(
    ("step", "others"),
    [
        ("So it is 4.", {"Therefore it is 4.", "Thus it is 4.", "Hence it is 4."}),
        (
            " - next, calculate it.\n",
            {f" - {a}, {b} it.\n" for a in ("then", "after that") for b in ("compute", "work out")},
        ),
        (" It is so that he sees.", {" It is in order that he sees."}),
        (" Reason {step}: because {0}.", {" Reason {step}: since {0}.", " Reason {step}: as {0}."}),
    ],
)
def test_synonyms_take_the_place_of_all_words_that_have_one(step, others):
    assert {EDITOR.paraphrase(step, seed).text for seed in range(60)} == others


def test_the_seed_decides_and_an_edit_says_who_made_it():
    edit = EDITOR.mistake(" It is 4321.", 7)
    assert edit == EDITOR.mistake(" It is 4321.", 7)
    assert (edit.changed, edit.plausible, edit.status, edit.editor) == (True, None, Status.OK, "rules")
    assert edit.prompt_hash is None


@pytest.mark.parametrize("table", [OPPOSITES, DENIALS, SYNONYMS])
def test_every_word_of_the_tables_is_found_and_changed(table):
    import random

    for word in table._others:
        found = table.pattern.fullmatch(word)
        assert found, word
        for seed in range(5):
            assert table.other(word, random.Random(seed)) != word
    assert not any(re.search(r"\s\s|^\s|\s$", other) for others in table._others.values() for other in others)


def test_a_long_step_is_quick_and_whole():
    step = " ".join(["word"] * 20_000) + " so " + "9" * 20_000 + "."
    mistake, paraphrase = EDITOR.mistake(step, 1), EDITOR.paraphrase(step, 1)
    assert len(mistake.text) == len(step)
    assert paraphrase.changed
