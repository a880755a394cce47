"""What a strategy is: how the subject is asked to reason, and how its answer is obtained from what it wrote.

Radhakrishnan et al. 2023 (arXiv 2307.11768). A chain is one text under every strategy. The strategy defines how to
continue any prefix of it, where its steps end, and which prompt asks for the answer after it. Probes know nothing about
strategies.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import SamplingSpec, StepUnit, StrategyName
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.request import Request
from cotfaith.workers.text.codec import Codec
from cotfaith.workers.text.templates import Templates


@dataclass(frozen=True)
class Continuation:
    """A sampled text."""

    status: Status
    text: str = ""
    n_tokens: int | None = 0
    """Null: the server that sampled it did not say."""
    finish_reason: str = "none"
    seed: int | None = None
    """The seed that it was sampled with; the strategy decides it for several requests. None: nothing was sampled."""
    error: str | None = None
    channel: str | None = None
    """What the text is, if a server says so: one of ``CHANNELS``."""


Continuing = Generator[list[Request], list[Any], list[Continuation]]


class Asking(Protocol):
    """What a strategy samples with: one item, one model, one random stream (``shard.ask``)."""

    item: Item
    templates: Templates
    codec: Codec
    sampling: SamplingSpec

    def sample(
        self, prompt: str, stop: tuple[str, ...] = (), seed: int | None = None, max_tokens: int | None = None
    ) -> Request:
        """Ask for a sampled continuation of ``prompt``, by the spec's sampling; by default with the next seed."""
        ...

    def cut(self, error: str | None = None) -> Continuation:
        """Return the outcome of a text that a limit cut."""
        ...

    def next_seed(self) -> int:
        """Return the next seed of the random stream."""
        ...


class Strategy(Protocol):
    """One way to ask for reasoning."""

    name: StrategyName
    summary: str
    """What it asks for, in one line."""
    prompt_hash: str | None
    """The hash of its prompt files; None if it has none."""

    needs_prefill: bool
    """Whether it writes the first words of a chain, or of a line, for the model."""

    def continue_chains(self, ask: Asking, prefixes: Sequence[str]) -> Continuing:
        """Sample a continuation of each prefix of a chain ("": the whole chain); one per prefix, in order."""
        ...

    def prompt(self, templates: Templates, item: Item) -> str:
        """Return the text that a chain continues."""
        ...

    def answer_prompt(self, templates: Templates, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``chain_text``, up to where the answer begins."""
        ...

    def split(self, text: str, unit: StepUnit) -> tuple[str, ...]:
        """Return the steps of a chain, in ``unit`` or the strategy's own unit; joined, they are ``text``."""
        ...

    def step_unit(self, unit: StepUnit) -> str:
        """Return the unit of a step if ``unit`` is requested."""
        ...

    def editable(self, step: str) -> tuple[str, str]:
        """Split a step into a beginning that an editor must not change, and the rest."""
        ...
