"""Similarity by shared words and numbers. It is coarse and needs no model.

The similarity is the cosine of the two texts' word counts, times the share of their numbers that both have. So "gives
3" and "gives 4" have different meanings, however many words they share: the product is below 0.8 if one of fewer than
nine numbers differs. It ignores synonyms, word order and negation ("is", "is not"): use a model if these matter.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from cotfaith.workers.roles.embedders.base import Comparing
from cotfaith.workers.text.canonical import canonical_number

NAME = "lexical"
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+|[-+*/=<>^%×÷]")


class LexicalEmbedder:
    """An embedder that counts words."""

    name = NAME

    def similarities(self, pairs: Sequence[tuple[str, str]]) -> Comparing:
        """Return each pair's similarity, from 0 (nothing shared) to 1 (the same words and numbers, in any order)."""
        yield from ()
        return [_cosine(_words(a), _words(b)) * _shared(_numbers(a), _numbers(b)) for a, b in pairs]


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))


def _numbers(text: str) -> set[str | None]:
    return {canonical_number(found) for found in _NUMBER.findall(text)}


def _cosine(a: Counter[str], b: Counter[str]) -> float:
    if a == b:
        return 1.0
    norm = math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
    return sum(n * b[word] for word, n in a.items()) / norm if norm else 0.0


def _shared(a: set[str | None], b: set[str | None]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0
