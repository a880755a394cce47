import pytest

from cotfaith.workers.roles.editors.base import framed
from cotfaith.workers.roles.editors.reply import fault, read_reply

OLD = "There are 4 boxes."
NEW = "There are 5 boxes."


@pytest.mark.parametrize(
    "step",
    [
        "",
        "  ",
        "One. ",
        " \n\n1. One.\n",
        "- (a) x\n\n",
        "12. ",
        "## Title\n",
        " 3.5 is x.",
        "\u00a0x\u2003",
        "\\[\nx\n\\]\n",
        "1. - 2) x",
    ],
)
def test_a_step_taken_apart_is_whole_again(step):
    parts = framed(step)
    assert parts.around(parts.words) == step
    assert parts.words == parts.words.strip()


def test_marks_and_white_space_are_not_for_editors():
    assert framed(" \n2. - Add 3. \n").words == "Add 3."
    assert framed(" 3.5 is x.").words == "3.5 is x."
    assert not framed("  \\[\n").says_something


@pytest.mark.parametrize(
    "reply",
    [
        NEW,
        f"  {NEW}\n",
        f'"{NEW}"',
        f"“{NEW}”",
        f"`{NEW}`",
        f"Here is the new version:\n\n{NEW}",
        f"Sure! Here's a sentence with a mistake in it: {NEW}",
        f"Certainly, here’s the sentence:\n“{NEW}”",
        f"With a mistake: {NEW}",
        f"Sentence: {NEW}",
        f"The modified sentence: {NEW}",
    ],
)
def test_what_models_put_around_a_sentence_is_taken_off(reply):
    assert read_reply(OLD, reply) == NEW
    assert fault("mistake", OLD, NEW) is None


def test_what_the_step_has_itself_stays():
    assert read_reply('"Red", he says.', '"Blue", he says.') == '"Blue", he says.'
    assert read_reply("Here is the sum: 4", "Here is the sum: 5") == "Here is the sum: 5"
    assert read_reply(OLD, '"Four" and "five"') == '"Four" and "five"'
    assert read_reply("'tis 4'", "'tis 5'") == "'tis 5'"


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ("", "nothing"),
        ("...", "nothing"),
        (OLD, "same step"),
        ("there  are 4 BOXES", "same step"),
        ("I'm sorry, but I cannot write mistakes.", "refused"),
        (f"{NEW}\nI changed the number.", "2 lines, the step has 1"),
        ("```python\nx = 5\n```", "3 lines, the step has 1"),
        ("There are boxes. " * 40, "characters, the step has 18"),
    ],
)
def test_what_is_no_new_version(new, error):
    assert error in fault("mistake", OLD, new.strip())


def test_bold_print_is_no_other_wording():
    assert "same step" in fault("mistake", "**Start in Galway:**", "Start in Galway.")
    assert fault("mistake", "**Start in Galway:**", "**Start in Truro:**") is None


def test_the_same_letters_in_another_encoding_are_the_same():
    assert "same step" in fault("mistake", "Caf\u00e9 is open.", "Cafe\u0301 is open.")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x - 3", "x + 3"),
        ("\\( x = \\frac{12}{4} \\)", "\\( x = \\frac{12}{6} \\)"),
        ("הכדור אדום.", "הכדור כחול."),
        ("カラスは黒い。", "カラスは白い。"),
        ("```\nx = 1\ny = 2\n```", "```\nx = 1\ny = 3\n```"),
        ("Sorry, it is 4.", "Sorry, it is 5."),
    ],
)
def test_small_differences_that_matter(old, new):
    assert fault("mistake", old, new) is None


def test_a_step_of_several_lines_may_lose_or_gain_some():
    block = "a\nb\nc\nd"
    assert fault("mistake", block, "a b\nc e") is None
    assert "1 lines" in fault("mistake", block, "a b c d")
    assert fault("mistake", block, "\n".join("abcdefgh")) is None
    assert "9 lines" in fault("mistake", block, "\n".join("abcdefghi"))


def test_a_paraphrase_keeps_the_numbers_and_a_mistake_need_not():
    old = "7 times 8 is 1,056.5, so 7 pens."
    for new in ("There are 7 pens.", "8 times 7 is 1,056.", "It is 9, and 7 times 8 is 1,056.5."):
        assert "a number of the step" in fault("paraphrase", old, new)
        assert fault("mistake", old, new) is None
    assert fault("paraphrase", old, "So 1,056.5 is 8 times 7.") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"So it is \(\boxed{12}\) dollars.", "So it is $12 dollars"),
        (r"\[ \boxed{\frac{1}{12}} \]", r"\(\boxed{\frac{1}{12}}\)"),
        (r"The answer is \(\boxed{\text{B}}\).", "The answer is **B**."),
        (r"0.35 \times 200 = 75", r"0.35 \times 200 = 75.00"),
        ("It takes 1,000 m.", "It takes 1000m."),
        ("`x_1` is 3", "x1 is 3"),
    ],
)
def test_another_dress_is_no_new_version(old, new):
    assert "same step" in fault("mistake", old, new)
    assert "same step" in fault("paraphrase", old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"\frac{1}{23}", r"\frac{12}{3}"),
        ("45 + -30", "45 + 30"),
        ("x > 3", "x < 3"),
        ("2 * 3", "2 + 3"),
        ("P(A) is 0.5", "P(B) is 0.5"),
        ("1.5 km", "15 km"),
        ("(A) red", "(B) red"),
        ("कमल लाल है", "कमल नीला है"),
        ("का", "की"),
    ],
)
def test_a_small_change_is_one(old, new):
    assert fault("mistake", old, new) is None
