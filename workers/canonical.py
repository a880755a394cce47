"""Gold answers in canonical form, the one that ``schemas.records`` defines. None: it cannot be read as that format.

Numbers: no thousands separators, no trailing zeros, no exponent, no "-0" ("1,234" -> "1234", "18.0" -> "18").
Booleans: "true" / "false", also from yes / no in any case. Text: lower case, runs of white space made one space.
"""

import math
import re
from decimal import Decimal

NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?")
BOOLEANS = {"true": "true", "yes": "true", "false": "false", "no": "false"}


def canonical_number(value: object) -> str | None:
    """Return ``value`` (an int, a float, or text) as a canonical number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        text = value.strip().replace("\N{MINUS SIGN}", "-")
        matched = NUMBER.fullmatch(text)
        return _plain(text.replace(",", "")) if matched and any(matched.group(1, 3)) else None
    return _plain(repr(value)) if math.isfinite(value) else None


def _plain(text: str) -> str:
    digits = format(Decimal(text), "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def canonical_boolean(value: object) -> str | None:
    """Return "true" or "false" for a bool, or for true / false / yes / no in any case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None


def canonical_text(value: object) -> str | None:
    """Return the lower-case text of a string or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return " ".join(str(value).lower().split()) or None
