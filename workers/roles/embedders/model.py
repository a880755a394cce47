"""Similarity by a model: the cosine of two texts' vectors, from an engine that embeds (role ``embedder``).

Each text is embedded once, however many pairs it is in. If the engine fails on a text, such as one longer than its
context window, the text has no vector and its pairs have no similarity.

Sentence embedders are nearly blind to numbers and negations. all-MiniLM-L6-v2 gives "So the total is 12 apples." and
"... 13 apples." a similarity of 0.94, and 0.8 or more counts as the same meaning: use the lexical embedder if numbers
matter.
"""

import math
from collections.abc import Sequence

from cotfaith.workers.engines.protocol import EmbedRequest
from cotfaith.workers.roles.embedders.base import Comparing
from cotfaith.workers.shard.request import Request
from cotfaith.workers.text.codec import Codec

Vector = tuple[float, ...]


class ModelEmbedder:
    """An embedder that asks a model."""

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
    """Return the dot product, clipped to -1..1 against rounding: the vectors have length 1."""
    if a is None or b is None:
        return None
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return max(-1.0, min(1.0, dot)) if math.isfinite(dot) else None  # min(1, nan) is 1, which would mean identical
