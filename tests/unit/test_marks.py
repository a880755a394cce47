"""Tests of marks: what cannot be seen in a text is shown, in the terminal and on the page; nothing is lost."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from cotfaith.cluster.marks import mark, pieces
from cotfaith.cluster.report.document import environment
from cotfaith.cluster.report.marked import marked
from cotfaith.cluster.terminal import plain_text, safe_text

EVERY = [chr(number) for number in range(sys.maxunicode + 1)]
NAMED = [0x00AD, 0x061C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
SELECTORS = [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
FILLERS = [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0x2028, 0x2029]
TAGS = range(0xE0000, 0xE0080)
VISIBLE = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
SHOWN = {
    "emoji": ["👩‍💻", "👨‍👩‍👧‍👦", "❤️", "❤︎", "👍🏽", "🏳️‍🌈", "👩🏽‍❤️‍💋‍👨🏻", "1️⃣", "#️⃣", "🇩🇪"],
    "persian": ["می‌خواهم", "کتاب‌ها", "خانه‌ای"],
    "indic": ["क्‍ष", "क्‌ष", "ക്‍", "ශ්‍රී", "র‍্য"],
    "signs": list(VISIBLE),
    "lines": ["a\n\tb", "é", "한국어", "\ue000", "a\u00a0b", "⟨U+202E⟩"],
}
MARKED = {
    "x\u202ey": "x⟨U+202E⟩y",
    "\ufeffhi": "⟨U+FEFF⟩hi",
    "no\u00adwhere": "no⟨U+00AD⟩where",
    "a\u200cb": "a⟨U+200C⟩b",
    "a\u200db": "a⟨U+200D⟩b",
    "\u0627\u200c\u0628": "\u0627⟨U+200C⟩\u0628",  # alef joins no letter behind it
    "\u0645\u200c ": "\u0645⟨U+200C⟩ ",
    "👍\u200d": "👍⟨U+200D⟩",
    "\u200d👍": "⟨U+200D⟩👍",
    "👍\u200d\u200d👍": "👍⟨U+200D⟩⟨U+200D⟩👍",
    "❤\ufe0f\ufe0f": "❤\ufe0f⟨U+FE0F⟩",
    "❤\ufe01": "❤⟨U+FE01⟩",
    "1\ufe0f": "1⟨U+FE0F⟩",
    "a\U000e0100": "a⟨U+E0100⟩",
    "葛\U000e0100": "葛⟨U+E0100⟩",
    "🏴\U000e0067\U000e007f": "🏴⟨U+E0067⟩⟨U+E007F⟩",
    "a\x1b[31mb": "a⟨U+001B⟩[31mb",
    "a\r\nb\rc": "a\nb⟨U+000D⟩c",
    "\ud83d": "⟨U+D83D⟩",
    "\x85\u2028\u3164": "⟨U+0085⟩⟨U+2028⟩⟨U+3164⟩",
}


def read(shown):
    """The text that was marked."""
    return re.sub(r"⟨U\+([0-9A-F]{4,6})⟩", lambda found: chr(int(found[1], 16)), shown)


def test_every_character_alone():
    """Python's own table says which are control, format and surrogate; the others are named above. All: a second."""
    text = "x".join(EVERY)
    found = {piece for piece, unseen in pieces(text) if unseen}
    others = set(map(chr, [*NAMED, *SELECTORS, *FILLERS, *TAGS]))
    category = {character: unicodedata.category(character) for character in EVERY}
    unseen = {one for one in EVERY if category[one] in ("Cc", "Cf", "Cs")} | others
    assert unseen - set("\n\t" + VISIBLE) <= found
    assert {category[one] for one in found - unseen} <= {"Cn", "Mn"}
    assert found.isdisjoint("\n\t" + VISIBLE)
    assert plain_text(text) == "x".join(mark(one) if one in found else one for one in EVERY)
    assert set(re.findall(">(⟨[^<]*⟩)</span>", marked(text))) == set(map(mark, found))


@given(st.text(st.characters() | st.sampled_from([chr(n) for n in (*NAMED, *SELECTORS, *TAGS)] + ["👍", "م", "्"])))
def test_nothing_is_lost(text):
    assert read(plain_text(text)) == read(text).replace("\r\n", "\n")
    assert "".join(piece for piece, _ in pieces(text)) == text.replace("\r\n", "\n")
    assert plain_text(plain_text(text)) == plain_text(text)
    assert re.sub(r"<span[^>]*>|</span>", "", marked(text)) == escape(plain_text(text))


@pytest.mark.parametrize("text", [text for texts in SHOWN.values() for text in texts])
def test_what_is_seen_stays(text):
    assert plain_text(text) == text
    assert marked(text) == escape(text)


@pytest.mark.parametrize(("text", "shown"), MARKED.items(), ids=map(ascii, MARKED))
def test_what_is_not_seen_is_marked(text, shown):
    assert plain_text(text) == shown
    assert marked(text).striptags() == " ".join(shown.split())


def test_a_page_tells_a_mark_from_the_same_signs_in_a_text():
    assert marked("⟨U+202E⟩<") == "⟨U+202E⟩&lt;"
    assert marked("\u202e<") == '<span class="mark" title="RIGHT-TO-LEFT OVERRIDE">⟨U+202E⟩</span>&lt;'
    assert marked("\x00") == '<span class="mark" title="no name">⟨U+0000⟩</span>'


def test_a_template_marks_every_text_and_an_attribute_holds_no_element():
    made = environment().from_string('<b title="{{ text|plain }}">{{ text }}</b>').render(text='"\u200b')
    assert made == ('<b title="&#34;⟨U+200B⟩">&#34;<span class="mark" title="ZERO WIDTH SPACE">⟨U+200B⟩</span></b>')


def test_markup_is_escaped_and_none_is_a_dash():
    assert safe_text("[red]\u202e") == r"\[red]⟨U+202E⟩"
    assert safe_text(None) == "-"
