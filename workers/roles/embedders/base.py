"""What an embedder is: it says how near the meanings of two texts are."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from cotfaith.workers.shard.request import Request

Comparing = Generator[list[Request], list[Any], list[float | None]]


class Embedder(Protocol):
    """Compares texts, in as many rounds as it likes."""

    name: str
    """A model's id, or "lexical"."""

    def similarities(self, pairs: Sequence[tuple[str, str]]) -> Comparing:
        """Return, for each pair, how near their meanings are, from -1 to 1 (the same); null where that failed."""
        ...
