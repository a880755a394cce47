"""Steps: where they end, what is never split, and that no character is lost."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.workers.text.blocks import find_blocks
from cotfaith.workers.text.steps import merge_steps, split_steps

UNITS = ("sentence", "line", "paragraph")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (" We add 2. Then 3.5 more. So 5.5!", [" We add 2. ", "Then 3.5 more. ", "So 5.5!"]),
        ("1. Add them.\n2. Stop.", ["1. Add them.\n", "2. Stop."]),
        ("Use e.g. the rule. Done.", ["Use e.g. the rule. ", "Done."]),
        ("Is it so? Yes.", ["Is it so? ", "Yes."]),
        ("a line\nanother line", ["a line\n", "another line"]),
        ("no full stop", ["no full stop"]),
        ("", []),
        ("  \n ", []),
        ("الجملة الأولى. الجملة الثانية.", ["الجملة الأولى. ", "الجملة الثانية."]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟ ", "نعم."]),
        ("חישוב ראשון. תשובה שנייה.", ["חישוב ראשון. ", "תשובה שנייה."]),
        ("先算一。再算二！“是吗？”是的", ["先算一。", "再算二！", "“是吗？”", "是的"]),
        ("पहला चरण। दूसरा।", ["पहला चरण। ", "दूसरा।"]),
        ("Emoji 👍🏽. Then e\u0301.", ["Emoji 👍🏽. ", "Then e\u0301."]),
        ("Line one\r\nLine two.", ["Line one\r\n", "Line two."]),
    ],
)
def test_split(text, steps):
    assert list(split_steps(text)) == steps


CODE = "```python\nx = 1. Y\n\nprint(x). A\n```\n"
FORMULA = "\\[\nx = 1. Y\n\\]\n"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (f"Look:\n{CODE}So 2. Done.", ["Look:\n", CODE, "So 2. ", "Done."]),
        ("~~~\na. B\n```\nc. D\n~~~~\nE.", ["~~~\na. B\n```\nc. D\n~~~~\n", "E."]),
        ("Cut:\n```\na. B\nc. D", ["Cut:\n", "```\na. B\nc. D"]),
        ("1. Do\n   ```\n   a. B\n   ```\n2. Go", ["1. Do\n", "   ```\n   a. B\n   ```\n", "2. Go"]),
        (f"We have\n{FORMULA}so it holds. Then.", ["We have\n", FORMULA, "so it holds. ", "Then."]),
        ("So $$a. B$$ holds. Next.", ["So $$a. B$$ holds. ", "Next."]),
        ("\\begin{align}\na. B\\\\\n\\end{align}\nOk.", ["\\begin{align}\na. B\\\\\n\\end{align}\n", "Ok."]),
        ("It costs $$ a lot.\n\nAnd $$ more. Yes.", ["It costs $$ a lot.\n\n", "And $$ more. ", "Yes."]),
    ],
)
def test_code_and_formulas_stay_whole(text, steps):
    assert list(split_steps(text)) == steps


def test_inline_code_and_formulas_are_prose():
    assert find_blocks("Use ```x. Y``` and $x. Y$ and \\(x\\). Ok.") == []


@pytest.mark.parametrize(
    ("unit", "steps"),
    [
        ("line", ["One. Two.\n", "- Three.\n\n", f"{CODE}", "\nFour."]),
        ("paragraph", ["One. Two.\n- Three.\n\n", f"{CODE}\n", "Four."]),
    ],
)
def test_other_units(unit, steps):
    text = f"One. Two.\n- Three.\n\n{CODE}\nFour."
    found = split_steps(text, unit)
    assert "".join(found) == text
    assert [s.strip() for s in found] == [s.strip() for s in steps]


def test_neighbours_are_put_together_evenly():
    steps = [f"{i} " for i in range(300)]
    for limit in (1, 7, 20, 299):
        merged = merge_steps(steps, limit)
        sizes = [len(step.split()) for step in merged]
        assert (len(merged), "".join(merged)) == (limit, "".join(steps))
        assert max(sizes) - min(sizes) <= 1
    assert merge_steps(steps, 300) == merge_steps(steps, None) == tuple(steps)
    assert merge_steps([], 3) == ()


ODD = [
    "ab",
    "1.",
    " ",
    "\n",
    ". ",
    "?",
    "```",
    "~~~",
    "$$",
    "\\[",
    "\\]",
    "\\begin{a}",
    "\\end{a}",
    "。",
    "؟ ",
    "\r",
    "\t",
]


@given(st.lists(st.sampled_from(ODD), max_size=30).map("".join) | st.text(max_size=60), st.sampled_from(UNITS))
def test_no_character_is_lost(text, unit):
    steps = split_steps(text, unit)
    assert "".join(steps) == (text if text.strip() else "")
    assert all(step.strip() for step in steps)


@given(st.lists(st.sampled_from(ODD), max_size=30).map("".join), st.sampled_from(UNITS))
def test_no_step_begins_within_a_block(text, unit):
    starts = set(itertools.accumulate(map(len, split_steps(text, unit))))
    for begin, end in find_blocks(text):
        assert not starts & set(range(begin + 1, end))


LONG = {
    "sentences": "Then 3 plus 2.5 gives 5.5, e.g. so. " * 10_000,
    "lines": "Then 3 gives 5.\n" * 10_000,
    "paragraphs": "Then 3 gives 5.\n\n" * 10_000,
    "openings": "\\[ " * 10_000 + "\\begin{a} " * 10_000,
    "full stops": ". " * 10_000,
    "fences": "```\n" * 10_001,
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("unit", UNITS)
def test_long_chains_are_split(name, unit):
    steps = split_steps(LONG[name], unit)
    assert "".join(steps) == LONG[name]
    if name == "sentences":
        assert len(steps) == (10_000 if unit == "sentence" else 1)
    if name == "paragraphs":
        assert len(steps) == 10_000
