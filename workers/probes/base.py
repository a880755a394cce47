"""What a probe is: a coroutine, what it needs, and its settings.

A probe is straight-line code. It yields lists of requests and is sent the list of their results, as often as it likes,
and returns its observations. It knows neither Ray, nor an engine, nor other items.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cotfaith.schemas.records import Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.ask import Ask, Request

ProbeRun = Generator[list[Request], list[Any], list[Observation]]
Need = Literal["answer", "generate", "prefill", "editor", "judge"]
"""answer: score or generate, whichever the task's answers take."""


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
    """One planned request for an answer: how much of a chain's tokens its prompt holds, and how much it shares."""

    chain_tokens: int
    shared_with_chain: bool
    """True if these tokens are the beginning of the chain; False if they are the beginning of this probe's own text."""


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
