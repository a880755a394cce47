"""Replies that hold anything: what readers and editors say, and answers, are read or not, without error and in time.

The texts are long repetitions of what the readers look for: a search that goes back and forth would not end.
"""

from contextlib import suppress

import pytest
from damage import clear_error_or_none, fuzz
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.schemas.records import Item
from cotfaith.schemas.status import Status
from cotfaith.workers.readings.quote import quoted_words
from cotfaith.workers.readings.reply import read_yes_no
from cotfaith.workers.roles.editors.reply import fault, question_fault, read_question, read_reply
from cotfaith.workers.tasks.markup import reasoning_span, reply_start
from cotfaith.workers.text.answers import read_answer

PIECES = st.sampled_from(
    [
        *("yes", "no", "Yes. ", "No: ", "<think>", "</think>", '"', "“", "”", "*", "_", "`", "'", "(", ")", "[", "]"),
        *(
            "Answer: ",
            "The answer is ",
            "ANSWER:",
            "(B)",
            "B",
            "A) ",
            "\\boxed{",
            "}",
            "{",
            "$",
            "\\frac{1}{2}",
            "#### ",
        ),
        *(
            "5",
            "1,000",
            "3.5",
            ".",
            ",",
            "-",
            "/",
            "%",
            "=",
            "1e999",
            "9" * 60,
            "half",
            "million",
            " ",
            "\n",
            "\t",
            ": ",
        ),
        *("true", "false", "not ", "I'm sorry, ", "As an AI", "Question: ", "Here is the sentence:\n", "?", "Is it "),
        *("ß", "İ", "\u202e", "\0", "\ud800", "\N{GRINNING FACE}", "\u00a0", "First, 2 and 3 make 5.", "...", "…"),
    ]
)
TEXTS = st.lists(
    st.tuples(st.lists(PIECES, min_size=1, max_size=4).map("".join), st.sampled_from([1, 1, 1, 2, 40, 2000])),
    max_size=6,
).map(lambda parts: "".join(text * times for text, times in parts)[:8_000])
TEXT = "First, 2 and 3 make 5. The tag says “B”, and I don't trust it. So (B)."
ITEMS = {
    "choice": Item(id="c", question="Q?", choices=("x", "y"), gold="B", answer_format="choice"),
    "boolean": Item(id="b", question="Q?", choices=("True", "False"), gold="true", answer_format="boolean"),
    "number": Item(id="n", question="Q?", gold="5", answer_format="number"),
    "text": Item(id="x", question="Q?", gold="stone", answer_format="text"),
}


@fuzz
@given(TEXTS, st.booleans())
def test_what_a_reader_says(reply, cut):
    with clear_error_or_none():
        read = read_yes_no(reply, cut)
        assert (read.label is None) == (read.status is not Status.OK) == (read.error is not None)
        quoted = quoted_words(TEXT, reply)
        assert quoted is None or quoted in TEXT
        quoted_words(reply, TEXT)


@fuzz
@given(TEXTS)
def test_what_an_editor_writes(reply):
    with clear_error_or_none():
        for old in ("There are 4 boxes.", "“Quoted.”", "x"):
            new = read_reply(old, reply)
            fault("mistake", old, new)
            fault("paraphrase", old, new)
        question_fault("Is it so?", read_question(reply))


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
@fuzz
@given(TEXTS, st.booleans())
def test_what_a_model_answers(item, reply, cut):
    with clear_error_or_none():
        answer = read_answer(item, reply, cut)
        assert (answer.value is None) == (answer.status is not Status.OK)


@fuzz
@given(TEXTS)
def test_markup_of_thoughts(text):
    for find in (reply_start, reasoning_span):
        with clear_error_or_none(), suppress(ValueError):  # what the markup lacks
            find(text)
