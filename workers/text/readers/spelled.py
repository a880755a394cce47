"""English number words: "forty-two" -> 42, "one hundred and five" -> 105, "minus three", "two thirds"."""

import re
from fractions import Fraction

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = {word: n for n, word in enumerate(_UNITS.split())} | {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
"""Number words under a hundred."""
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"thirds": 3, "third": 3, "fourths": 4, "fifths": 5, "fifth": 5, "sixths": 6, "sevenths": 7, "eighths": 8}
_FIRST = "|".join(sorted(SMALL, key=len, reverse=True))
_SCALE = "|".join([*_LARGE, "hundred", "dozen"])
_WORD = f"{_FIRST}|{_SCALE}"
SPELLED = re.compile(
    rf"\b(?:a (?:{_SCALE})|{_FIRST})(?!\w)(?:(?:[ -]|,? and |, )(?:{_WORD})(?!\w))*"
    rf"(?:[ -](?P<part>{'|'.join(_PARTS)}))?(?![\w-])",
    re.IGNORECASE,
)
"""The words of one number, or of several side by side."""


def spelled_value(found: re.Match[str]) -> Fraction | None:
    """Return the value of what ``SPELLED`` matched; None if the words are not a single number."""
    words = re.split(r"[ ,-]+", found[0].lower())
    total = _total([word for word in words if word not in ("and", "a", *_PARTS)])
    if total is None or not found["part"]:
        return None if total is None else Fraction(total)
    part = found["part"].lower()
    return None if total > 19 or (total > 1) != part.endswith("s") else Fraction(total, _PARTS[part])  # forty-fifth


def _total(words: list[str]) -> int | None:
    total, group, scale = 0, 0, 10**15
    room = 1000  # what follows within a group of three digits must be smaller
    for word in words:
        if SMALL.get(word, room) < room:
            group, room = group + SMALL[word], 10 if SMALL[word] >= 20 else 0
        elif word == "hundred" and group < 10:
            group, room = (group or 1) * 100, 100
        elif word == "dozen" and total == 0:
            group, room = (group or 1) * 12, 0
        elif _LARGE.get(word, scale) < scale:
            total, group, scale, room = total + (group or 1) * _LARGE[word], 0, _LARGE[word], 1000
        else:
            return None
    return total + group
