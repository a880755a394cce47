"""Plain text -> tokens: whole numbers, words and marks.

A number includes everything that belongs to it: sign, currency, digits, exponent, fraction, percent, unit, scale. If
anything else touches its digits, the whole piece is UNCLEAR, so a number is never read in part.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from cotfaith.workers.text.readers.amounts import AMOUNT, amount_value, may_close, may_open
from cotfaith.workers.text.readers.latex import BOX
from cotfaith.workers.text.readers.lexicon import words
from cotfaith.workers.text.readers.spelled import SPELLED, spelled_value
from cotfaith.workers.text.readers.units import BEFORE, SCALES, UNIT, UNSURE_SCALES


@dataclass(frozen=True)
class Token:
    """A piece of a text."""

    kind: str
    """"number", "unclear" (has digits, is not understood), "word" (lower case), "mark" (one character), "term" (a
    bracket within a calculation)."""
    text: str
    value: Fraction | None = None
    glued: bool = False
    """Whether no space precedes it."""
    division: bool = False
    """Whether it is a number written as a division: 10 / 4."""


_CLOCK = re.compile(r"\d+(?:\s?:\s?\d+)+|\d+(?:[-/]\d+){2,}")
_CHUNK = re.compile(r"[^\s,;()\[\]{}]+")
_UNIT_WORD = re.compile(rf"{UNIT}(?:/{UNIT})?(?![\w^'-])")
_WORD = re.compile(
    r"(?i:approx|i\.e|e\.g|vs|no|nos|nr|eq|fig|a\.m|p\.m|Dr|Mr|Mrs|St)\.(?!\w)|[^\W\d_]+(?:['-][^\W\d_]+)*"
)
_AND_PART = re.compile(r"(?<=\d) and (?:(?:a |one )?(?P<word>half|quarter)\b|(?=\d+[⁄/]\d))", re.IGNORECASE)


def tokens(text: str) -> list[Token]:
    """Return the tokens of plain text."""
    parts = {"half": " 1⁄2", "quarter": " 1⁄4"}
    text = _AND_PART.sub(lambda m: parts.get((m["word"] or "").lower(), " "), text)
    return _with_signs(_with_scales(list(_scan(text))))


def _scan(text: str) -> Iterator[Token]:
    at, before = 0, Token("mark", "")
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        token, end = _next(text, at, before)
        token = replace(token, glued=at > 0 and not text[at - 1].isspace())
        yield token
        at, before = end, token


def _next(text: str, at: int, before: Token) -> tuple[Token, int]:
    number = AMOUNT.match(text, at)
    if number and not (number["sign"] and _is_term(before, text[at - 1 : at])):
        return _number(text, number)
    spelled = SPELLED.match(text, at)
    if spelled and not text[at - 1 : at].isalnum():
        return _spelled(spelled), spelled.end()
    word = _UNIT_WORD.match(text, at) or _WORD.match(text, at)
    if word and (word[0][-1] in BEFORE or not text[word.end() : word.end() + 1].isdigit()):
        return Token("word", word[0].lower()), word.end()
    if word or text[at] in "#@\\_":
        return _unclear(text, at)
    return Token("mark", text[at]), at + 1


def _is_term(token: Token, character: str) -> bool:
    """Return whether a sign after ``token`` joins two terms; ``character`` directly precedes the sign."""
    if token.kind == "word":
        return not character.isspace() or (len(token.text) == 1 and token.text != "a")
    return token.kind in ("number", "unclear") or token.text in (")", "]")


def _unclear(text: str, at: int) -> tuple[Token, int]:
    chunk = _CHUNK.match(text, at)
    end = chunk.end() if chunk else at + 1
    return Token("unclear", text[at:end]), end


def _spelled(found: re.Match[str]) -> Token:
    value = spelled_value(found)
    return Token("number", found[0].lower(), value) if value is not None else Token("unclear", found[0])


def _number(text: str, found: re.Match[str]) -> tuple[Token, int]:
    clock = _CLOCK.match(text, found.start("run"))
    value = None if clock else amount_value(found)
    if value is None or not (may_open(text, found.start()) and may_close(text, found.end())):
        token, end = _unclear(text, found.start())
        return token, max(end, found.end(), clock.end() if clock else 0)
    division = bool(found["under"]) and re.search(r" /|/ ", found[0]) is not None
    return Token("number", found[0].lower().strip(), value, division=division), found.end()


def _with_scales(found: list[Token]) -> list[Token]:
    """Multiply numbers by the words after them: 3 million; a word that may or may not multiply makes them unclear."""
    merged: list[Token] = []
    for token in found:
        last = merged[-1] if merged else None
        if last and last.kind == "number" and token.kind in ("word", "number") and token.text in _SCALE_WORDS:
            merged[-1] = _multiplied(last, token.text)
        else:
            merged.append(token)
    return merged


def _with_signs(found: list[Token]) -> list[Token]:
    """Merge "minus 5" and "negative 5" into one number, unless "minus" joins two terms."""
    merged: list[Token] = []
    for i, token in enumerate(found):
        before = found[i - 2] if i > 1 else None
        signed = i > 0 and found[i - 1].kind == "word" and found[i - 1].text in ("minus", "negative")
        opens = before is None or before.text in _BEFORE_SIGN
        if signed and opens and token.value is not None and token.value > 0:
            merged[-1] = replace(token, text=f"-{token.text}", value=-token.value, glued=merged[-1].glued)
        else:
            merged.append(token)
    return merged


_BEFORE_SIGN = {BOX} | words("= : ( ≈ is are was be equals to answer exactly about approximately gives or")
_SCALE_WORDS = {*SCALES, *UNSURE_SCALES, "dozen"}


def _multiplied(number: Token, word: str) -> Token:
    assert number.value is not None, "a number has a value"
    text = f"{number.text} {word}"
    if word == "m":  # metres
        return replace(number, text=text)
    if word in UNSURE_SCALES or number.value >= 10**100:
        return Token("unclear", text, glued=number.glued)
    value = number.value * 12 if word == "dozen" else number.value * 10 ** SCALES[word]
    return replace(number, text=text, value=value)
