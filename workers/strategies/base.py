"""What a strategy is: how the subject is asked to reason, and how an answer is had from what it wrote.

Radhakrishnan et al. 2023 (arXiv 2307.11768). A chain is one text under every strategy; the strategy says how to go on
from any beginning of it, where its steps end, and which prompt asks for the answer after it. Probes know nothing of it.
"""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import StepUnit, StrategyName
from cotfaith.workers.text.templates import Templates

if TYPE_CHECKING:
    from cotfaith.workers.shard.ask import Ask, Continuation
    from cotfaith.workers.shard.request import Request

Continuing = Generator[list["Request"], list[Any], list["Continuation"]]


class Strategy(Protocol):
    """How one way of reasoning is asked for."""

    name: StrategyName
    prompt_hash: str | None
    """Of its prompt files; null: it has none."""

    def continue_chains(self, ask: "Ask", prefixes: Sequence[str]) -> Continuing:
        """Sample what follows each beginning of a chain, "" for a whole one; one continuation a prefix, in order."""
        ...

    def prompt(self, templates: Templates, item: Item) -> str:
        """Return the text that a chain continues."""
        ...

    def answer_prompt(self, templates: Templates, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``chain_text``, up to the answer itself."""
        ...

    def split(self, text: str, unit: StepUnit) -> tuple[str, ...]:
        """Return the steps of a chain, by ``unit`` or by the strategy's own; joined, they are ``text``."""
        ...

    def step_unit(self, unit: StepUnit) -> str:
        """Return what a step is where ``unit`` is asked for."""
        ...

    def editable(self, step: str) -> tuple[str, str]:
        """Split a step into a beginning that an editor must leave, and the rest."""
        ...
