"""One number in plain text with everything that belongs to it, and its value.

Its parts are sign, currency, digits, exponent, fraction, percent, unit and scale. What may directly precede and follow
it is listed here; anything else makes it unreadable.
"""

import re
from fractions import Fraction

from cotfaith.workers.text.readers.latex import BOX, END_BOX
from cotfaith.workers.text.readers.numerals import RUN, power, run_value, scaled
from cotfaith.workers.text.readers.units import BEFORE, COUNTER, MONEY, MONEY_SCALES, MYRIADS, POINT_MONEY, UNIT

AMOUNT = re.compile(
    rf"""(?P<sign>[-+]?)(?P<before>{MONEY}\s?)?(?P<sign2>[-+]?)(?P<run>{RUN})
    (?: [eE](?P<exp>[-+]?\d+)
      | \s?[×x*·]\s?10\s?\^\s?\(?(?P<ten>[-+]?\d+)\)?
      | \^\(?(?P<power>[-+]?\d+)\)?
      | (?:[ ](?P<top>\d+))?\s?[⁄/]\s?(?P<under>\d+) )?
    (?: \s?% | (?P<scale>\s?(?:bn|mn|[kKmMBb])(?![\w/^]))(?P<scaled>\s?{MONEY})? | (?P<behind>\s?{MONEY})(?!\d)
      | {UNIT}(?!\w) | (?P<myriad>\s?[{"".join(MYRIADS)}]+)?{COUNTER} )
    (?: /[^\W\d_]+(?:\^?[23])? )?""",
    re.VERBOSE,
)
"""A number and its parts."""


def lone_number(text: str) -> Fraction | None:
    """Return the value of plain text that is one number in digits, with its sign, currency or percent; else None."""
    found = AMOUNT.fullmatch(text.strip())
    digits_only = found and not re.search(r"[^\W\d]", re.sub(rf"{MONEY}|[eE](?=[-+]?\d)|x(?=\s?10)", "", text))
    return amount_value(found) if found and digits_only else None


def amount_value(found: re.Match[str]) -> Fraction | None:
    """Return the value of what ``AMOUNT`` matched; None if it is not understood."""
    value = run_value(found["run"])
    money = "".join(found[name] or "" for name in ("before", "behind", "scaled"))
    if value is None or (found["sign"] and found["sign2"]) or _is_point(found):
        return None
    if re.fullmatch(r"\d+\.\d{3}", found["run"]) and not POINT_MONEY.fullmatch(money):
        return None  # 1.234 € is a thousand in most of Europe
    value = _exponents(value, found)
    if value is None or (scale := _scale(found, bool(money))) is None:
        return None
    return scaled(-value if "-" in (found["sign"], found["sign2"]) else value, scale)


def _is_point(found: re.Match[str]) -> bool:
    """(3,4) is a point, an interval or a list; its comma is not a decimal comma."""
    text = found.string
    return (
        bool(re.fullmatch(r"\d+,(?!\d{3}$)\d+", found["run"]))
        and text[found.start() - 1 : found.start()] in ("(", "[")
        and text[found.end() : found.end() + 1] in (")", "]")
    )


def _exponents(value: Fraction, found: re.Match[str]) -> Fraction | None:
    if shift := found["exp"] or found["ten"]:
        return scaled(value, int(shift[:9]))
    if found["power"]:
        return power(value, int(found["power"][:9]))
    return _quotient(value, found) if found["under"] else value


def _quotient(value: Fraction, found: re.Match[str]) -> Fraction | None:
    top, under = found["top"], int(found["under"][:99])
    if under == 0 or value.denominator > 1 or " " in found["run"] or (top and int(top[:99]) >= under):
        return None
    return value + Fraction(int(top), under) if top else value / under


def _scale(found: re.Match[str], money: bool) -> int | None:
    """Return the power of ten that a sign after the number multiplies it by; None if the sign may also be a unit."""
    sign = (found["scale"] or "").strip()
    if sign:
        return MONEY_SCALES[sign] if money else 9 if sign == "bn" else 0 if sign == "m" else None
    return sum(MYRIADS[character] for character in (found["myriad"] or "").strip())


def may_open(text: str, start: int) -> bool:
    """Return whether a number may begin at ``start``, judged by the character before it."""
    before = text[start - 1 : start]
    return not before or before.isspace() or before in f"([{{'\"=≈~:,;<>≤≥≠±+-*×·÷/—⇒$|{BEFORE}{BOX}"


def may_close(text: str, end: int) -> bool:
    """Return whether a number may end at ``end``, judged by what touches it there."""
    mark, then = text[end : end + 1], text[end + 1 : end + 2]
    if mark == ".":
        return not then or then.isspace() or then.isupper() or then in f")]}}'\"{END_BOX}"
    if mark in ("!", ":", ","):
        return not (then.isalnum() or then in ("=", "$"))
    if mark == "-":
        return then.isdigit() or then.isspace()
    if mark in ("+", "*", "/", "·", "~"):
        return bool(re.match(r"\s?[-+$(]?\s?\w", text[end + 1 :]))
    return not mark or mark.isspace() or mark in f")]}};?=×÷<>≈≠≤≥±—⇒|{END_BOX}"
