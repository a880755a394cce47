"""Untrusted text to be shown: no control characters; for the terminal no rich markup either."""

import unicodedata

from rich.markup import escape

KEPT = "\n\t\u200c\u200d"
"""Joiners belong to the spelling of some languages."""


def plain_text(text: str) -> str:
    """Return ``text`` without control, format (direction overrides) and surrogate characters; lines and tabs stay."""
    return "".join(c for c in text if c in KEPT or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def safe_text(text: object) -> str:
    """Return ``text`` so that rich prints it as it reads: markup escaped, control characters gone; "-" for None."""
    return "-" if text is None else escape(plain_text(str(text)))
