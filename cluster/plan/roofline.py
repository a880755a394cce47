"""Hours from sizes: how long a model needs for its work on given hardware, if nothing was measured yet.

Two kinds of passes through the model, each as slow as the slower of its arithmetic and its reading of the weights:

- reading: distinct prompt tokens, in passes of ``token_budget`` tokens. 2 operations per parameter and token.
- writing: each pass gives one token to each of ``rows`` texts, and reads all weights once.

On top come fixed times per layer and pass and per token, which are all that matters for very small models. Attention,
loading and the storage of rows are left out. Mixtures of experts count all experts: too slow. docs/hours.md has the
sources of the constants, and how far off the estimates were.
"""

from dataclasses import dataclass

from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.plan.hardware import Hardware
from cotfaith.cluster.plan.model_size import BYTES, Size


@dataclass(frozen=True)
class Overheads:
    """What is lost besides arithmetic and memory, on one kind of hardware."""

    arithmetic: float
    """The share of the best arithmetic that a pass reaches."""
    memory: float
    """The share of the best bandwidth that a pass reaches."""
    layer_s: float
    """Seconds of a pass per layer."""
    read_s: float
    """Seconds per token read."""
    written_s: float
    """Seconds per token written: most of it is sampling."""


CPU = Overheads(arithmetic=0.5, memory=0.3, layer_s=5e-4, read_s=4.5e-5, written_s=3.5e-4)
"""Fitted to the transformers engine on one core, with models of 0.3 and 135 million parameters."""
GPU = Overheads(arithmetic=0.4, memory=0.5, layer_s=1e-4, read_s=2e-6, written_s=1e-4)
"""Not fitted: usual shares, and the time to start a layer's kernels."""


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
        read, written, lost = work.distinct_tokens, work.generated_tokens, self._lost
        reading = read / self.token_budget * self._pass_s(self.token_budget) + read * lost.read_s
        writing = written / self.rows * self._pass_s(self.rows) + written * lost.written_s
        return reading + writing

    @property
    def _lost(self) -> Overheads:
        return GPU if self.hardware.is_gpu else CPU

    def _pass_s(self, tokens: int) -> float:
        arithmetic = 2 * self.size.parameters * tokens / (self.hardware.flops * self._lost.arithmetic)
        weights = self.size.parameters * BYTES[self.dtype] / (self.hardware.bytes_s * self._lost.memory)
        return max(arithmetic, weights) + self.size.layers * self._lost.layer_s
