"""Gold answers in the canonical form that ``schemas.records`` defines. None: the value cannot be read in that format.

Numbers: exact decimals without thousands separators, trailing zeros, exponent or "-0" ("1,234" -> "1234", "18.0" ->
"18", "1e3" -> "1000", "1/2" -> "0.5"); a fraction in lowest terms if no decimal is exact ("2/6" -> "1/3"). Currency and
percent signs are units and are dropped ("$5" -> "5", "5%" -> "5"); words are not ("5 apples" is not a number).
Booleans: "true" / "false", also from yes / no in any case. Text: lower case except for units, with each run of white
space made one space.
"""

import math
from fractions import Fraction

from cotfaith.workers.text.readers.amounts import lone_number
from cotfaith.workers.text.readers.numerals import MOST_DIGITS, canonical_value
from cotfaith.workers.text.readers.phrases import fold_case
from cotfaith.workers.text.readers.plain import plain

BOOLEANS = {"true": "true", "yes": "true", "false": "false", "no": "false"}


def canonical_number(value: object) -> str | None:
    """Return ``value`` (an int, a float, or text) as a canonical number; text is read as a whole or not at all."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        if _is_plain(value):
            return value
        number = lone_number(plain(value))
        text = "" if number is None else canonical_value(number)
        return text if 0 < len(text) <= MOST_DIGITS else None
    if isinstance(value, int):
        return canonical_value(Fraction(value)) if abs(value) < 10**MOST_DIGITS else None
    return canonical_value(Fraction(repr(value))) if math.isfinite(value) else None


def _is_plain(text: str) -> bool:
    """Return whether a text is a whole number as it is, which most are: reading one in full takes 100 times as long."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and (text[0] != "0" or text == "0")


def decimal_number(value: object) -> str | None:
    """Return ``value`` as a canonical number that ``float`` can read; None also for 1/3."""
    number = canonical_number(value)
    return None if number is None or "/" in number else number


def canonical_boolean(value: object) -> str | None:
    """Return "true" or "false" for a bool, or for true / false / yes / no in any case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None


def canonical_text(value: object) -> str | None:
    """Return the lower-case text of a string or number; a unit after a number keeps its case."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return fold_case(" ".join(str(value).split())) or None
