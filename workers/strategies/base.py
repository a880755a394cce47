"""What a strategy is: how the subject is asked to reason, and how its answer is obtained from what it wrote.

Radhakrishnan et al. 2023 (arXiv 2307.11768). A chain is one text under every strategy. The strategy defines how to
continue any prefix of it, where its steps end, and which prompt asks for the answer after it. Probes know nothing about
strategies.
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
    """One way to ask for reasoning."""

    name: StrategyName
    prompt_hash: str | None
    """The hash of its prompt files; None if it has none."""

    def continue_chains(self, ask: "Ask", prefixes: Sequence[str]) -> Continuing:
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
