"""Choices with their own letters or numbers ("A) 2", "(b) 8", "1. 5"), which are removed so that none appears twice.

They count as labels only if all choices of the item have them, in one style, in order from A, a or 1, with text after:
"A. Lincoln" among other names stays a name.
"""

import re
from collections.abc import Sequence

from cotfaith.schemas.records import CHOICE_LABELS

LABEL = re.compile(r"\(?([A-Za-z])[).:]?")
"""A label by itself, as golds and keys write it."""
_STYLES = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\(([A-Za-z]|\d{1,2})\)\s*(.*)",
        r"\[([A-Za-z]|\d{1,2})\]\s*(.*)",
        r"([A-Za-z]|\d{1,2})\)\s*(.*)",
        r"([A-Za-z]|\d{1,2})[.:]\s+(.*)",
        r"([A-Za-z]|\d{1,2})\s+[-\N{EN DASH}\N{EM DASH}]\s+(.*)",
        r"([A-Za-z]):(.*)",
        r"([A-Za-z])\.(.*)",
        r"([A-Za-z]|\d{1,2})[\N{FULLWIDTH RIGHT PARENTHESIS}\N{IDEOGRAPHIC COMMA}\N{FULLWIDTH FULL STOP}]\s*(.*)",
        r"(?:[Oo]ption|[Cc]hoice|[Aa]nswer) ([A-Za-z]|\d{1,2})[.:)]\s*(.*)",
    )
)


def read_letters(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels in ``texts`` (empty if there are none) and the texts without them, even doubled ones."""
    for style in _STYLES:
        matched = [style.fullmatch(text.strip()) for text in texts]
        found = [(m[1], m[2].strip()) for m in matched if m and m[2].strip()]
        labels = tuple(label for label, _ in found)
        if len(found) == len(texts) > 1 and in_order(labels):
            return labels, read_letters([text for _, text in found])[1]
    return (), tuple(texts)


def split_letter(text: str) -> tuple[str, str] | None:
    """Return a text's label and the text without it; None if it has no label."""
    matched = next((m for style in _STYLES if (m := style.fullmatch(text.strip()))), None)
    return (matched[1], matched[2].strip()) if matched else None


def in_order(labels: Sequence[str]) -> bool:
    """Return whether the labels are A, B, C, ... or a, b, c, ... or 1, 2, 3, ..."""
    n = len(labels)
    numbers = [str(number) for number in range(1, n + 1)]
    return list(labels) in (list(CHOICE_LABELS[:n]), list(CHOICE_LABELS[:n].lower()), numbers)
