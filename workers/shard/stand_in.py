"""An engine without weights that records what it is asked, so that prompts can be shown before any model loads.

It writes one given text, and finds all candidates equally likely, unless told otherwise: made-up replies with which
every probe asks all that it would ask. Nothing that is measured rests on them. Texts go through the model's own codec.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cotfaith.workers.engines.protocol import (
    Capabilities,
    EmbedRequest,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
)
from cotfaith.workers.text.codec import Codec

Payload = GenerateRequest | ScoreRequest | EmbedRequest
CHAINS = {
    "cot": " Add 3: that gives 5. Add 3: that makes 5. Add 3: that yields 5.",
    "cot_decomposition": " What is 2 and 3?\nAnswer 1: With 3 it is 5.\nSubquestion 2: So?\nAnswer 2: Still 5, not 3.",
    "factored_decomposition": " What is 2 and 3?",
}
"""Strategy -> what stands for the text that a model would write. Every editor can change its sentences."""
EDIT = " With 3 more it comes to 5. Or what?"
"""What stands for an edit: the numbers of those sentences in other words, and a question."""


@dataclass
class StandIn:
    """The engine in one role."""

    codec: Codec
    writes: str
    """What it writes, whatever it is asked."""
    prefers_first: bool = False
    """Whether it finds the first candidates likelier than the last ones."""
    batches: list[Sequence[Payload]] = field(default_factory=list)
    """What it was asked, in order."""

    @property
    def capabilities(self) -> Capabilities:
        """Everything: the plan has checked what the real engine can do."""
        return Capabilities(generate=True, score=True, prefill=True, embed=True)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Write the text."""
        self.batches.append(requests)
        tokens = self.codec.encode(self.writes)[len(self.codec.encode("")) :]
        return [Generation(tokens, "stop")] * len(requests)

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Find all candidates equally likely, or each less likely than the one before."""
        self.batches.append(requests)
        step = -1.0 if self.prefers_first else 0.0
        return [tuple(-1.0 + step * place for place in range(len(one.candidates))) for one in requests]

    def embed(self, requests: Sequence[EmbedRequest]) -> list[tuple[float, ...]]:
        """Give all texts one vector."""
        self.batches.append(requests)
        return [(1.0,)] * len(requests)

    def usage(self) -> EngineUsage:
        """Return nothing: no model works."""
        return EngineUsage()

    def notes(self) -> list[str]:
        """Say nothing."""
        return []
