"""The mean length of the chains that are to be sampled, from those that are: finished, or in a call that runs.

In: counts of finished chains, and what engines say of a running call. Out: tokens a chain, and the share that the limit
of tokens will cut. Texts that have not ended are taken to end at the rate, per token, at which others did.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from cotfaith.workers.engines.protocol import Running

Key = tuple[str, str]
"""Model, task."""


@dataclass
class ChainLengths:
    """What is known of the lengths."""

    limit: int
    """The most tokens of a chain."""
    _made: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """Chains, and their tokens."""
    _running: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Model -> the forecast from its last running call."""

    def made(self, model: str, task: str, chains: int, tokens: int) -> None:
        """Count finished chains."""
        before = self._made.get((model, task), (0, 0))
        self._made[model, task] = (before[0] + chains, before[1] + tokens)

    def running(self, model: str, running: Running) -> None:
        """Take what is done of a call, if it samples chains: shorter texts are answers."""
        if running.generated_tokens and running.open and running.limit == self.limit:
            self._running[model] = expected(running, self.limit)

    def mean(self, model: str, task: str) -> float:
        """Return tokens a chain: of this model and task if known, else of others; before any are known the limit."""
        own = [value for key, value in self._made.items() if key[0] == model]
        exact = [self._made[model, task]] if (model, task) in self._made else []
        for made in (exact, own):
            if (length := _mean(made)) is not None:
                return length
        if model in self._running:
            return self._running[model][0]
        guesses = [length for length, _ in self._running.values()]
        return _mean(self._made.values()) or (sum(guesses) / len(guesses) if guesses else float(self.limit))

    def cut_share(self, model: str) -> float:
        """Return the share of chains that the limit will cut, as far as a running call shows it; else 0."""
        shares = [share for _, share in self._running.values()]
        return self._running[model][1] if model in self._running else sum(shares) / len(shares) if shares else 0.0


def expected(running: Running, limit: int) -> tuple[float, float]:
    """Return (mean final length, share that the limit cuts) of the texts of a running call; some are open."""
    texts, ends = running.ended + running.open, running.ended
    room = max(0.0, limit - running.open_tokens / running.open)
    rate = ends / running.generated_tokens
    more = room if rate == 0 else (1 - math.exp(-rate * room)) / rate
    cut = math.exp(-rate * room) * running.open / texts
    return (running.generated_tokens + running.open * more) / texts, cut


def _mean(found: Iterable[tuple[int, int]]) -> float | None:
    pairs = list(found)
    chains = sum(count for count, _ in pairs)
    return max(1.0, sum(tokens for _, tokens in pairs) / chains) if chains else None
