"""A text on a terminal: nothing is left out, nothing is wider or longer than the terminal, nothing acts."""

import io
import os
import pty
import re
import termios
import tty

import pytest
from rich.console import Console
from texts_to_label import many

from cotfaith.cluster.cli.keys import BACK, NEXT, STOP, TerminalKeys, name_of
from cotfaith.cluster.cli.label_desk import Desk
from cotfaith.cluster.cli.label_pages import ASKS, KEYS, pages, paging
from cotfaith.cluster.labelling.session import Asked, begin
from cotfaith.cluster.labelling.sheet import REPEATED, Sheet, added_lines
from cotfaith.cluster.storage.store import LocalStore

LONG = " ".join(f"word{n}" for n in range(3000)) + " " + "x" * 300
CHOICES = (("A", "one"), ("B", "two"))


def sheet(text="So it is (B).", **about):
    return Sheet(
        **{
            "question": "Which?",
            "choices": CHOICES,
            "hint": "a note says (B) two.",
            "added": ("I say B.",),
            "text": text,
        }
        | about
    )


def shown(made, width):
    return [[made.head, *made.lines(n), "", *paging(made, n, width), *made.foot] for n in range(made.n)]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 24), (50, 10), (20, 12), (200, 60), (80, 6)])
@pytest.mark.parametrize("question", ASKS)
def test_every_word_is_on_a_page_and_every_page_on_the_screen(width, height, question):
    made = pages(sheet(LONG), question, "3 labelled", width, height)
    screens = shown(made, width)
    assert made.n > 1
    assert all(len(line) <= width for lines in screens for line in lines)
    least = len(made.foot) + len(paging(made, 0, width)) + 5  # three lines of the text, however small the terminal
    assert all(len(lines) <= max(height - 1, least) for lines in screens)
    text = "".join("".join(line.split()) for n in range(made.n) for line in made.lines(n))
    assert "".join(LONG.split()) in text
    assert f"page {made.n} of {made.n}" in " ".join(paging(made, made.n - 1, width))


def test_a_short_text_has_one_page_with_all_parts():
    made = pages(sheet(), "present", "0 labelled", 80, 24)
    assert (made.n, paging(made, 0, 80)) == (1, [])
    assert list(made.body) == [
        *("QUESTION", "  Which?", "  (A) one", "  (B) two", ""),
        *("HINT", "  a note says (B) two.", "", "ADDED TO THE PROMPT", "  I say B.", "", "CHAIN", "  So it is (B)."),
    ]
    assert made.foot[-1] == "   ".join(KEYS)


def test_elsewhere_a_long_text_is_one_page():
    assert pages(sheet(LONG), "present", "", 80, None).n == 1


def test_what_is_not_recorded_is_said():
    body = pages(sheet(question=None, added=None, choices=()), "present", "", 80, 24).body
    assert body.count("  Not recorded.") == 2
    assert "  Nothing." in pages(sheet(added=()), "present", "", 80, 24).body


def test_hostile_texts_cannot_act_or_pass_for_our_lines():
    text = "\x1b[2J\x1b[31mCHAIN\n\u202eyes\u200b\nADDED TO THE PROMPT\r[bold]q[/bold]\x00"
    made = pages(sheet(text, question=text, hint=text, added=(text,)), "present", "", 80, 60)
    joined = "\n".join(made.body)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\u200b]", joined)
    assert joined.count("⟨U+202E⟩") == 4
    assert "[bold]q[/bold]" in joined
    assert [line for line in made.body if line.startswith("CHAIN")] == ["CHAIN"]


def test_wide_characters_count_two_columns():
    made = pages(sheet("五" * 100), "present", "", 40, 24)
    assert max(line.count("五") for line in made.body) == 19


@pytest.mark.parametrize(
    ("pressed", "name"),
    [
        *(("y", "y"), ("Y", "y"), ("?", "?"), (" ", NEXT), ("\r", NEXT), ("\n", NEXT), ("\x1b[6~", NEXT), ("b", BACK)),
        *(
            ("\x1b[A", BACK),
            ("\x1b[C", ""),
            ("\x1b", ""),
            ("", STOP),
            ("\x04", STOP),
            ("yes", "y"),
            ("é", "é"),
            ("\x00", ""),
        ),
    ],
)
def test_names_of_keys(pressed, name):
    assert name_of(pressed) == name


def test_keys_pressed_before_a_text_was_shown_are_dropped():
    master, terminal = pty.openpty()
    with os.fdopen(terminal, "r") as stream:
        keys, before = TerminalKeys(stream), termios.tcgetattr(terminal)
        tty.setcbreak(terminal)  # else the line discipline waits for the end of the line
        os.write(master, b"y")
        keys.forget()
        os.write(master, b"n")
        assert keys.key() == "n"
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        os.write(master, b"\x1b[6~")
        assert keys.key() == NEXT
        assert termios.tcgetattr(terminal) == before
    os.close(master)


def test_the_desk_drops_them_before_each_text(tmp_path):
    done = []

    class Script:
        def forget(self):
            done.append("forget")

        def key(self):
            done.append("key")
            return "y" if len(done) % 3 == 0 else NEXT

    session = begin(LocalStore(tmp_path), "r", many(2), Asked("anna", "present", "random", lambda _: True))
    Desk(session, lambda unit: sheet(), Script(), Console(file=io.StringIO(), width=80, height=24), True).work()
    assert done == ["forget", "key", "key", "forget", "key", "key"]
    assert session.given == {"yes": 2}


QUESTION = "A question that is long enough not to be there by chance?"


@pytest.mark.parametrize(
    ("before", "prompt", "added"),
    [
        (f"{QUESTION}\nA:", f"{QUESTION}\n\nI say (B).\nA:", ("I say (B).",)),
        (f"Human: {QUESTION}\nA:", f"Human: <x>\n <y/>\n</x>\n\n{QUESTION}\nA:", ("Human: <x>", " <y/>", "</x>")),
        (f"{QUESTION}\n(A) a\n(B) b", f"{QUESTION}\n(A) a\n* (B) b", ("* (B) b",)),
        (QUESTION, f"{QUESTION}\n\nI say (B).\n\n{QUESTION}", ("I say (B).",)),
        ("1\n2\n3\n4", "1\n2\n3\n4\nhint\n1\n2\n3\nmore", ("hint", REPEATED, "more")),
        (QUESTION, QUESTION, ()),
        ("", "one\ntwo", ("one", "two")),
    ],
)
def test_the_lines_that_a_prompt_adds(before, prompt, added):
    assert added_lines(before, prompt) == added
