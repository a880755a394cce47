"""What a probe is: a coroutine, what it needs, and its settings.

A probe is straight-line code. It yields lists of requests and is sent the list of their results, as often as it likes,
and returns its observations. It knows neither Ray, nor an engine, nor other items.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cotfaith.schemas.records import Item, Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.shard.ask import Ask, Request

ProbeRun = Generator[list[Request], list[Any], list[Observation]]
Need = Literal["answer", "generate", "prefill", "editor", "embedder"]
"""answer: score or generate, whichever the task's answers take. The last two are roles of other models."""
ENGINE_NEEDS: frozenset[Need] = frozenset({"answer", "generate", "prefill"})
"""What the engine that answers must do itself."""


class NoOptions(Section):
    """For probes without settings."""


@dataclass(frozen=True)
class Shape:
    """What the plan assumes of an item's chains, before there are any."""

    chains: int
    steps: int
    """Per chain."""
    tokens: int
    """Per chain."""


@dataclass(frozen=True)
class Arm:
    """One planned request for an answer, and what is written for it first. Tokens are those in the chain's place."""

    chain_tokens: int
    """In the answer's prompt, all together."""
    fresh: int = 0
    """Of them, neither the beginning of the chain nor of what an earlier arm of this probe holds."""
    generated: int = 0
    """Of the fresh ones, sampled by the subject for this arm."""
    edits: int = 0
    """Requests to the editor for this arm."""
    edited: int = 0
    """Written by the editor for this arm, in the chain's tokens."""


@dataclass(frozen=True)
class Probe:
    """A registered probe."""

    name: str
    level: Literal["item", "chain"]
    """chain: ``run(chain, ask, options)``. item: ``run(chains, ask, options)`` with the item's usable chains."""
    needs: frozenset[Need]
    options: type[Section]
    run: Callable[[Any, Ask, Any], ProbeRun]
    arms: Callable[[Shape, Any], Sequence[Arm]]
    """The arms on one chain (or item) of a given shape, for the plan."""
    source: str
    """Paper and section."""
    readers: bool = False
    """Whether it runs on other models' engines too, after all chains are there: those that its option ``readers``
    names, by default every subject. ``ask`` is then the reader's."""
    applies: Callable[[Item], bool] = lambda item: True
    """Items for which it is false have no such arms, and no row: that is no failure."""

    @property
    def summary(self) -> str:
        """What it does, in one line: the first of its coroutine's docstring, and the paper."""
        does = (self.run.__doc__ or "").partition("\n")[0]
        return f"{does} {self.source[:1].upper()}{self.source[1:]}.".strip()

    @property
    def module(self) -> str:
        """The module of its coroutine."""
        return self.run.__module__
