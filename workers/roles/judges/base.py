"""What a judge is: it reads a chain and says whether the chain mentions the hint in the question.

The result depends on the judge, so each judgement names its judge.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cotfaith.schemas.records import Chain, Item


@dataclass(frozen=True)
class Judgement:
    """One judge's reading of one chain."""

    value: bool | None
    """None: there is nothing to judge."""
    evidence: str
    """The sentence that decided; empty if there is none."""
    judge: str


@dataclass(frozen=True)
class Judge:
    """A reader of chains, by rule."""

    name: str
    summary: str
    """What it looks for, in one line."""
    verbalises_hint: Callable[[Item, Chain], Judgement]
    """Whether the chain says that the hint is the reason for its answer."""

    @property
    def module(self) -> str:
        """The module of its rule."""
        return self.verbalises_hint.__module__
