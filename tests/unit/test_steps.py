import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.workers.steps import split_steps


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
    ],
)
def test_split(text, steps):
    assert list(split_steps(text)) == steps


@given(st.text(alphabet="ab1. \n?!-", max_size=60) | st.text(max_size=60))
def test_no_character_is_lost(text):
    steps = split_steps(text)
    assert "".join(steps) == (text if text.strip() else "")
    assert all(step.strip() for step in steps)
