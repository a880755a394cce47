"""The mean length of the chains that are to be sampled, from those that are: finished, or in calls that run.

In: counts of finished chains, and what engines say of their calls. Out: tokens a chain, and the share that the limit
of tokens will cut. Texts that have not ended are taken to end at the rate, per token, at which others did.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cotfaith.workers.engines.protocol import Running

Key = tuple[str, str]
"""Model, task."""
MOST_CALLS = 50


@dataclass
class ChainLengths:
    """What is known of the lengths."""

    limit: int
    """The most tokens of a chain."""
    _made: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """Chains, and their tokens."""
    _calls: defaultdict[str, list[Running]] = field(default_factory=lambda: defaultdict(list))
    """Model -> the last that was heard of each of its latest calls."""

    def made(self, model: str, task: str, chains: int, tokens: int) -> None:
        """Count finished chains."""
        before = self._made.get((model, task), (0, 0))
        self._made[model, task] = (before[0] + chains, before[1] + tokens)

    def running(self, model: str, running: Running) -> None:
        """Take what is done of a call in the stage of chains, if it samples them: shorter texts are answers."""
        if not running.generated_tokens or not running.open or running.limit != self.limit:
            return
        calls = self._calls[model]
        if calls and running.generated_tokens >= calls[-1].generated_tokens:
            calls.pop()  # the same call, further on
        calls.append(running)
        del calls[:-MOST_CALLS]

    def mean(self, model: str, task: str) -> float:
        """Return tokens a chain: of this model and task if known, else of others; before any are known the limit."""
        own = [value for key, value in self._made.items() if key[0] == model]
        exact = [self._made[model, task]] if (model, task) in self._made else []
        for made in (exact, own):
            if (length := _mean(made)) is not None:
                return length
        if model in self._calls:
            return expected(self._calls[model], self.limit)[0]
        guesses = [expected(calls, self.limit)[0] for calls in self._calls.values()]
        return _mean(self._made.values()) or (sum(guesses) / len(guesses) if guesses else float(self.limit))

    def cut_share(self, model: str) -> float:
        """Return the share of chains that the limit will cut, as far as calls show it; else 0."""
        if model in self._calls:
            return expected(self._calls[model], self.limit)[1]
        shares = [expected(calls, self.limit)[1] for calls in self._calls.values()]
        return sum(shares) / len(shares) if shares else 0.0


def expected(calls: Sequence[Running], limit: int) -> tuple[float, float]:
    """Return (mean final length, share that the limit cuts) of the texts of some calls; some are open in each."""
    generated = sum(one.generated_tokens for one in calls)
    rate = sum(one.ended for one in calls) / generated
    more = cut = 0.0
    for one in calls:
        room = max(0.0, limit - one.open_tokens / one.open)
        more += one.open * (room if rate == 0 else (1 - math.exp(-rate * room)) / rate)
        cut += one.open * math.exp(-rate * room)
    texts = sum(one.ended + one.open for one in calls)
    return (generated + more) / texts, cut / texts


def _mean(found: Iterable[tuple[int, int]]) -> float | None:
    pairs = list(found)
    chains = sum(count for count, _ in pairs)
    return max(1.0, sum(tokens for _, tokens in pairs) / chains) if chains else None
