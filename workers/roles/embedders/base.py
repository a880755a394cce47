"""What an embedder is: it measures how similar the meanings of two texts are."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from cotfaith.workers.shard.request import Request

Comparing = Generator[list[Request], list[Any], list[float | None]]


class Embedder(Protocol):
    """A comparer of texts, in any number of rounds."""

    name: str
    """The model's id, or "lexical"."""

    def similarities(self, pairs: Sequence[tuple[str, str]]) -> Comparing:
        """Return the similarity of each pair's meanings, from -1 to 1 (the same); None for a pair that failed."""
        ...
