"""A run of digits and marks -> its value, and a value -> its canonical text.

The run itself decides which mark groups thousands and which is the decimal mark:

| run | read as |
| --- | --- |
| 1,234 · 1,234,567.8 | English thousands; "3,000" is three thousand |
| 1.234 | an English decimal |
| 12,34,567.8 | Indian thousands |
| 1.234.567 · 3.000,00 | continental thousands: no English number looks like this |
| 1,5 · 0,125 · 3,1416 | a decimal comma: no group of thousands looks like this |
| 12 000 · 12 345,67 · 1'234.5 · 1_000 | thousands by space, apostrophe, underscore |

Any other run (1.2.3, 1,234,56, 1234,567) has no value: it is read as a whole or not at all. Values are exact. The
canonical text is a decimal without an exponent if an exact one exists, else a fraction in lowest terms: 1/3 and 0.333
differ.
"""

import re
from fractions import Fraction

RUN = r"(?:\d+(?:[.,'_]\d+|[ ]\d{3}(?!\d))*|(?<![\d.])\.\d+)"
MOST_DIGITS = 400
"""The most digits of a run, and the largest exponent; longer ones are not answers."""

_DECIMALS = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_ENGLISH = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?")
_CONTINENTAL = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3}){2,}(?:,\d+)?|\.\d{3},\d+)|\d+,(?!\d{3}$)\d+|0,\d+")
_SPACED = re.compile(r"[1-9]\d{0,2}(?:(?: \d{3})+|(?:'\d{3})+|(?:_\d{3})+)(?:[.,]\d+)?")


def run_value(run: str) -> Fraction | None:
    """Return the value of a run of digits and marks; None if it is not understood."""
    if len(run) > MOST_DIGITS:
        return None
    if _DECIMALS.fullmatch(run):
        return Fraction(run)
    if _ENGLISH.fullmatch(run):
        return Fraction(run.replace(",", ""))
    if _CONTINENTAL.fullmatch(run):
        return Fraction(run.replace(".", "").replace(",", "."))
    if _SPACED.fullmatch(run):
        return Fraction(re.sub(r"[ '_]", "", run).replace(",", "."))
    return None


def scaled(value: Fraction, exponent: int) -> Fraction | None:
    """Return ``value`` times ten to the ``exponent``; None if that is out of bounds."""
    return value * Fraction(10) ** exponent if abs(exponent) <= MOST_DIGITS else None


def power(base: Fraction, exponent: int) -> Fraction | None:
    """Return ``base`` to the ``exponent``; None if that is undefined or out of bounds."""
    size = max(len(str(base.numerator)), len(str(base.denominator))) * abs(exponent)
    return None if size > MOST_DIGITS or (base == 0 and exponent <= 0) else base**exponent


def canonical_value(value: Fraction) -> str:
    """Return the canonical text: an exact decimal, or a fraction in lowest terms."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest > 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    whole, decimals = (digits[:-places], digits[-places:]) if places else (digits, "")
    return ("-" if value < 0 else "") + whole + (f".{decimals}" if decimals else "")
