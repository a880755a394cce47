"""The differences between two texts, word by word. Plain data: the code that prints it must escape it."""

import difflib
import re
from typing import Literal

Piece = tuple[Literal["same", "old", "new"], str]
MOST_WORDS = 400
"""Longer texts are not compared: the whole old text is followed by the whole new one."""
FEW_WORDS = 5
"""Two texts that begin with fewer equal words are not said to begin alike."""


def difference(old: str, new: str) -> list[Piece]:
    """Return the pieces in order; all except "new" pieces make up ``old``, all except "old" pieces ``new``."""
    before, after = (re.findall(r"\s+|\S+", text) for text in (old, new))
    if max(len(before), len(after)) > MOST_WORDS:
        return [("old", old), ("new", new)]
    pieces: list[Piece] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(before[a:b])))
            continue
        if b > a:
            pieces.append(("old", "".join(before[a:b])))
        if d > c:
            pieces.append(("new", "".join(after[c:d])))
    return pieces


def alike(one: str, other: str) -> int:
    """Return the number of characters with which both begin, in whole words; 0 if they are fewer than ``FEW_WORDS``."""
    before, after = (re.findall(r"\s+|\S+", text) for text in (one, other))
    same = before[: _alike(before, after)]
    return len("".join(same)) if sum(not word.isspace() for word in same) >= FEW_WORDS else 0


def framed(plain: str, other: str) -> list[Piece]:
    """Return the differences of two prompts: what stands around a question, at the beginning and at the end, is alike.

    The words that both begin with, and those that both end with, are not compared.
    """
    before, after = (re.findall(r"\s+|\S+", text) for text in (plain, other))
    first = _alike(before, after)
    last = _alike(before[first:][::-1], after[first:][::-1])
    middle = ["".join(words[first : len(words) - last]) for words in (before, after)]
    ends: list[Piece] = [("same", "".join(before[:first])), ("same", "".join(before[len(before) - last :]))]
    return [piece for piece in (ends[0], *difference(*middle), ends[1]) if piece[1]]


def _alike(one: list[str], other: list[str]) -> int:
    """Return how many words both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
