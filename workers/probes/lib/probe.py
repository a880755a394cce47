"""What a probe is: a coroutine, what it needs, and its settings.

A probe is straight-line code. It yields lists of requests any number of times, each time receives the list of their
results, and returns its observations. It knows nothing about Ray, engines or other items.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import READER, Answer, Item, Observation
from cotfaith.schemas.spec import RunSpec, Section
from cotfaith.workers.shard.ask import Ask, Request

ProbeRun = Generator[list[Request], list[Any], list[Observation]]
Level = Literal["item", "chain"]
Unprobed = Callable[[str, Answer], list[Observation]]
Need = Literal["answer", "generate", "score", "prefill", "editor", "embedder"]
"""answer: score or generate, whichever the task's answers need. score: log-probabilities of given texts. prefill: it
continues a chain that has begun, and not only a whole one from its start. The last two are roles of other models.
"""
ENGINE_NEEDS: frozenset[Need] = frozenset({"answer", "generate", "score", "prefill"})
"""What the engine that answers must do itself."""


class NoOptions(Section):
    """The options of probes without settings."""


@dataclass(frozen=True)
class Shape:
    """What the plan assumes about an item's chains before any exist."""

    chains: int
    steps: int
    """Per chain."""
    tokens: int
    """Per chain."""


@dataclass(frozen=True)
class Arm:
    """One planned request for an answer, and what is written before it. Tokens are those in the chain's place."""

    chain_tokens: int
    """All tokens in the answer's prompt."""
    fresh: int = 0
    """Those shared neither with a prefix of the chain nor with an earlier arm of this probe."""
    generated: int = 0
    """Those of the fresh tokens that the subject samples for this arm."""
    edits: int = 0
    """Requests to the editor for this arm."""
    edited: int = 0
    """Tokens that the editor writes for this arm, in the chain's tokens."""
    edit_reads: int = 0
    """Tokens that the editor reads for this arm besides those that it writes anew."""
    likelihood: bool = False
    """Whether it asks how likely a text is after a changed question: no prompt is shared, and nothing is generated."""


@dataclass(frozen=True)
class Probe:
    """A registered probe."""

    name: str
    level: Level
    """chain: ``run(chain, ask, options)``. item: ``run(chains, ask, options)`` with the item's usable chains."""
    needs: frozenset[Need]
    options: type[Section]
    run: Callable[[Any, Ask, Any], ProbeRun]
    arms: Callable[[Shape, Any], Sequence[Arm]]
    """The arms on one chain (or item) of a given shape, for the plan.

    Judges, monitors and observers are planned by what ``run`` asks of a made-up chain; their probes need no arms.
    """
    source: str
    """The paper and its section."""
    readers: bool = False
    """Whether it runs on other models' engines, after all chains are committed.

    Its option ``readers`` names these models; by default they are all models with ``reader_role``. ``ask`` then belongs
    to the reader.
    """
    reader_role: str = READER
    """What its readers are: "reader": subjects, which answer the item's question; or "judge", "monitor", "observer",
    which answer a question about the chain, and read their own chains only if the option ``readers`` names them.
    """
    reads: str | None = None
    """The subject's probe whose rows it reads: ``ask.read`` has the ok ones on the chain. Only for probes of readers on
    chains: they wait for those rows, and are asked anew if they are made anew.
    """
    applies: Callable[[Item], bool] = lambda item: True
    """Items for which it is false have no arms and no rows; this is not a failure."""
    check: Callable[[RunSpec], None] = lambda spec: None
    """Raises ``SpecError`` if the spec lacks what the probe rests on."""
    unprobed: Unprobed = lambda arm, failure: [Observation(arm, failure)]
    """(arm, status) -> the rows of a chain that it cannot run on, or fails on."""
    rows: Callable[[Ask, Any], Sequence[Observation]] | None = None
    """(ask, options) -> the rows of a chain, without their outcomes, if they depend on these: a chain that it cannot
    run on, or fails on, has these rows with that status, and ``unprobed`` is not asked.
    """
    prompts: tuple[str, ...] = ()
    """The names of its readers' prompts (``workers/readings/prompts``); its option ``prompts`` replaces them."""
    all_variants: bool = False
    """Whether it runs on all variants of the items, and not only on plain ones, where the spec does not say."""

    def __post_init__(self) -> None:
        if self.level not in get_args(Level):
            raise SpecError(f"The probe {self.name!r} has the level {self.level!r}: expected 'item' or 'chain'.")
        if not isinstance(self.needs, frozenset):
            raise SpecError(
                f"The probe {self.name!r} has needs in a {type(self.needs).__name__}: expected a frozenset."
            )

        if self.reads is not None and not (self.readers and self.level == "chain"):
            raise SpecError(
                f"The probe {self.name!r} reads the rows of {self.reads!r}: expected readers=True and level 'chain'."
            )

    @property
    def summary(self) -> str:
        """What it does, in one line: the first of its coroutine's docstring, and the paper."""
        does = (self.run.__doc__ or "").partition("\n")[0]
        return f"{does} {self.source[:1].upper()}{self.source[1:]}.".strip()

    @property
    def module(self) -> str:
        """The module of its coroutine."""
        return self.run.__module__
