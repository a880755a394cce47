"""What a judge is: it reads a chain and says whether the chain mentions the hint in the question.

The result depends on the judge, so each judgement names its judge.
"""

from dataclasses import dataclass
from typing import Protocol

from cotfaith.schemas.records import Chain, Item


@dataclass(frozen=True)
class Judgement:
    """One judge's reading of one chain."""

    value: bool | None
    """None: there is nothing to judge."""
    evidence: str
    """The sentence that decided; empty if there is none."""
    judge: str


class Judge(Protocol):
    """Reads chains."""

    def verbalises_hint(self, item: Item, chain: Chain) -> Judgement:
        """Return whether the chain says that the hint is the reason for its answer."""
        ...
