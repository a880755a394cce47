"""CoT decomposition: subquestions and answers in one context, in one request. Radhakrishnan et al. 2023, 2.1.

In: an item, and any prefix of a chain. Out: "Subquestion 1: ...", "Answer 1: ..." and so on (``decomposition``). The
chain ends before "Done", or before another "Question:" that the model begins. The answer to the item is requested as
after a plain chain.
"""

from collections.abc import Sequence
from dataclasses import replace

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import StrategyName
from cotfaith.workers.strategies.base import Asking, Continuation, Continuing
from cotfaith.workers.strategies.decomposition import END, FIRST_LABEL, Decomposition
from cotfaith.workers.strategies.prompts import hash_prompts
from cotfaith.workers.text.templates import Templates

_NEXT_QUESTION = "\nQuestion:"  # weak models continue with another example


class CotDecomposition(Decomposition):
    """The strategy protocol for subquestions in one context."""

    name: StrategyName = "cot_decomposition"
    summary = "Subquestions and answers in one context. Radhakrishnan et al. 2023, 2.1."
    prompt_file = "cot_decomposition"
    prompt_hash: str | None = hash_prompts(prompt_file)

    def continue_chains(self, ask: Asking, prefixes: Sequence[str]) -> Continuing:
        """Continue each prefix, or the first label."""
        opening = self.prompt(ask.templates, ask.item)
        stops = (*ask.templates.chain_stops, f"\n{END}", _NEXT_QUESTION)
        kept = [prefix.rstrip() for prefix in prefixes]
        rests = yield [ask.sample(opening + ask.codec.plain(text or FIRST_LABEL), stops) for text in kept]
        return [rest if text else _with_label(rest) for text, rest in zip(kept, rests, strict=True)]

    def answer_prompt(self, templates: Templates, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer in a new turn."""
        return templates.answer_to(self.prompt(templates, item), item, chain_text)


def _with_label(rest: Continuation) -> Continuation:
    """Put the label before what the model wrote, if it wrote anything."""
    return replace(rest, text=FIRST_LABEL + rest.text if rest.text.strip() else "")
