"""Untrusted text made safe to show: no control characters and, for the terminal, no rich markup."""

import unicodedata

from rich.markup import escape

KEPT = "\n\t\u200c\u200d"
"""The two joiners are part of the spelling of some languages."""


def plain_text(text: str) -> str:
    """Return ``text`` without control, format (direction overrides) and surrogate characters; lines and tabs stay."""
    return "".join(c for c in text if c in KEPT or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def safe_text(text: object) -> str:
    """Return ``text`` so that rich prints it literally: markup escaped, control characters removed; "-" for None."""
    return "-" if text is None else escape(plain_text(str(text)))
