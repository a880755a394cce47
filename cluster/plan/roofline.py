"""Hours from sizes: how long a model needs for its work on given hardware, if nothing was measured yet.

Two kinds of passes through the model, each as slow as the slower of its arithmetic and its reading of the weights:

- reading: distinct prompt tokens, in passes of ``token_budget`` tokens. 2 operations per parameter and token.
- writing: each pass gives one token to each of ``rows`` texts, and reads all weights once.

On top comes a fixed time per layer and pass, which is all that matters for very small models. ``ARITHMETIC``,
``MEMORY`` and ``PER_LAYER_S`` are rough, and fitted to few measured runs (docs/hours.md). Attention, loading, and the
storage of rows are left out. Mixtures of experts count all experts: too slow.
"""

from dataclasses import dataclass

from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.plan.hardware import Hardware
from cotfaith.cluster.plan.weights import BYTES, Size

ARITHMETIC = 0.4
"""The share of the best arithmetic that a pass reaches."""
MEMORY = 0.6
"""The share of the best bandwidth that a pass reaches."""
PER_LAYER_S = {True: 1e-4, False: 2.5e-4}
"""Seconds of a pass per layer besides arithmetic and reading, on a GPU or not."""


@dataclass(frozen=True)
class Roofline:
    """A model on its hardware."""

    size: Size
    hardware: Hardware
    dtype: str
    rows: int
    """Texts that are written together."""
    token_budget: int
    """Tokens of one reading pass."""

    def seconds(self, work: Cost) -> float:
        """Return how long the work takes on one engine."""
        reading = work.distinct_tokens + 0.0
        writing = work.generated_tokens / self.rows
        return self._passes(reading / self.token_budget, self.token_budget) + self._passes(writing, self.rows)

    def _passes(self, count: float, tokens: int) -> float:
        arithmetic = 2 * self.size.parameters * tokens / (self.hardware.flops * ARITHMETIC)
        weights = self.size.parameters * BYTES[self.dtype] / (self.hardware.bytes_s * MEMORY)
        return count * (max(arithmetic, weights) + self.size.layers * PER_LAYER_S[self.hardware.is_gpu])
