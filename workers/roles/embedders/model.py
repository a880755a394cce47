"""Meaning by a model: the cosine of two texts' vectors, from an engine that embeds (role ``embedder``).

Each text is asked about once, however many pairs it is in. A text that the engine fails on, such as one longer than its
window, has no vector, and its pairs no similarity.

Sentence embedders hardly see a number or a negation. all-MiniLM-L6-v2 finds "So the total is 12 apples." and "... 13
apples." 0.94 alike, where 0.8 and more counts as the same meaning: use the lexical embedder where numbers decide.
"""

import math
from collections.abc import Sequence

from cotfaith.workers.engines.protocol import EmbedRequest
from cotfaith.workers.roles.embedders.base import Comparing
from cotfaith.workers.shard.request import Request
from cotfaith.workers.text.codec import Codec

Vector = tuple[float, ...]


class ModelEmbedder:
    """The embedder protocol, by a model."""

    def __init__(self, name: str, codec: Codec) -> None:
        self.name = name
        self._codec = codec

    def similarities(self, pairs: Sequence[tuple[str, str]]) -> Comparing:
        """Return the cosine of each pair."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        vectors = yield [self._request(tokens) for tokens in self._codec.encode_all(texts)]
        vector_of: dict[str, Vector | None] = dict(zip(texts, vectors, strict=True))
        return [_cosine(vector_of[a], vector_of[b]) for a, b in pairs]

    def _request(self, tokens: tuple[int, ...]) -> Request:
        return Request(EmbedRequest(tokens), lambda vector: vector, lambda status, error: None, "embedder")


def _cosine(a: Vector | None, b: Vector | None) -> float | None:
    """Return the dot product, kept from leaving -1 to 1 by rounding: the vectors have length 1."""
    if a is None or b is None:
        return None
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return max(-1.0, min(1.0, dot)) if math.isfinite(dot) else None  # min(1, nan) is 1: quite the same meaning
