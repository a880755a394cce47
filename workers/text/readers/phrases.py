"""Texts as answers, and the form in which texts are compared.

Strict: the first line, up to where its first sentence or a reason ends. Loose: up to the first mark of any kind.
"""

import re

from cotfaith.workers.text.readers import lexicon
from cotfaith.workers.text.readers.plain import plain, without_boxes
from cotfaith.workers.text.readers.reading import Reading

_SENTENCE = re.compile(r"(?<![A-Z])(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z]{2})(?<!\be\.g)(?<!\bi\.e)[.!?]\s+(?=[A-Z])")
"""A full stop that ends a sentence; not one as in "Dr. Smith" or "J. R. R. Tolkien"."""
_REASON = re.compile(r",?\s(?:because|since)\s|,\s(?:as|which|who|where|although|though|so)\s", re.IGNORECASE)
_ANNOUNCED = re.compile(r"\W{0,3}(?:the )?(?:final |correct |right )?answer(?: is\b:?|:)\s*", re.IGNORECASE)
_CLOSING = re.compile(r"(?:(?<=[^\W\d]{2})!+|[.,;:?\s]+)+$")
"""Final marks without meaning; the mark in "n!" means a factorial."""
_MOST_ROUNDS = 9
"""How many nested layers of quotes and markup are removed; deeper ones stay."""
_NONE = re.compile(
    r"\W*(?:i(?:'m| am)? (?:do not|don't|cannot|can't|not|unable|sorry)\b|i am not|sorry\b|as an ai\b|"
    r"not enough information)",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?<=\d)( ?)((?:[kKMGTPEZYhdcmμnpfazy]|da)?"
    r"(?:m|g|s|A|K|mol|cd|Hz|N|Pa|J|W|V|C|F|Ω|S|Wb|T|H|L|l|B|b|Wh|eV|bit)|[A-Za-z])(?!\w)"
)
"""A unit after a number: its case matters (mW, MW)."""


def comparable(text: str) -> str:
    """Return ``text`` in the form for comparison: without marks that have no meaning.

    White space and variants of one character are normalised. Quotation marks, bold and italics, and the mark that ends
    the sentence are removed, and so are round brackets around nothing but words. Letters are lower case, except in a
    unit after a number. Other brackets, signs and order stay: "(1, 2]" and "[1, 2)" differ.
    """
    for _ in range(_MOST_ROUNDS):
        text, before = _without_dress(text), text
        if text == before:
            break
    return text


def _without_dress(text: str) -> str:
    text = " ".join(without_boxes(plain(text)).split()).strip("\"'`*_ ")
    text = re.sub(r"^[:,;!?.]+\s+|^[:;,]+", "", text)
    return fold_case(_unwrapped(_CLOSING.sub("", text).strip()))


def _unwrapped(text: str) -> str:
    words = re.fullmatch(r"\(([^\W\d][^\W\d ]*[^\W\d](?: [^\W\d]+)*)\)", text)
    return words[1] if words else text


def fold_case(text: str) -> str:
    """Return ``text`` in lower case, except for the letters of units after numbers."""
    units = {found.start(2): found[2] for found in _UNIT.finditer(text)}
    folded, at = "", 0
    for start, unit in units.items():
        kilo = len(unit) > 1 and unit[0] == "K"  # KB is kB
        folded += text[at:start].lower() + ("k" + unit[1:] if kilo else unit)
        at = start + len(unit)
    return folded + text[at:].lower()


def read_phrase(text: str) -> Reading:
    """Read the text that ``text`` answers with."""
    line = next((line.strip() for line in plain(text).split("\n") if re.search(r"\S", line.strip(" :"))), "")
    announced = _ANNOUNCED.match(line)
    line = line[announced.end() :] if announced else line.lstrip(": ")
    strict = comparable(_REASON.split(_SENTENCE.split(line, maxsplit=1)[0], maxsplit=1)[0]) or None
    loose = comparable(re.split(r"[.,;:](?:\s|$)", line, maxsplit=1)[0]) or None
    if _NONE.match(line):
        return Reading(strict, loose, refused=bool(lexicon.REFUSED.search(line)))
    return Reading(strict, loose, strict or loose)
