"""Plain chain of thought: one text, sampled in one request. Lanham et al. 2023 (arXiv 2307.13702), section 2.1."""

from collections.abc import Sequence

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import StepUnit, StrategyName
from cotfaith.workers.strategies.base import Asking, Continuing
from cotfaith.workers.text.steps import split_steps
from cotfaith.workers.text.templates import Templates


class Cot:
    """The strategy protocol for one sampled text."""

    name: StrategyName = "cot"
    summary = "One text, sampled at once. Lanham et al. 2023, section 2.1."
    prompt_hash: str | None = None
    needs_prefill = False

    def continue_chains(self, ask: Asking, prefixes: Sequence[str]) -> Continuing:
        """Continue each prefix without its final white space, which tokenizers attach to what follows."""
        opening, stops = ask.templates.cot(ask.item), ask.templates.chain_stops
        return (yield [ask.sample(opening + ask.codec.plain(prefix.rstrip()), stops) for prefix in prefixes])

    def prompt(self, templates: Templates, item: Item) -> str:
        """Return the text that a chain continues."""
        return templates.cot(item)

    def answer_prompt(self, templates: Templates, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``chain_text``."""
        return templates.answer_after(item, chain_text)

    def split(self, text: str, unit: StepUnit) -> tuple[str, ...]:
        """Return the chain's sentences, lines or paragraphs."""
        return split_steps(text, unit)

    def step_unit(self, unit: StepUnit) -> str:
        """Return ``unit``."""
        return unit

    def editable(self, step: str) -> tuple[str, str]:
        """Let the editor change the whole step."""
        return "", step
