"""Shared parts of the two decompositions: a chain of subquestions with answers. Radhakrishnan et al. 2023, 2.1.

A step is a subquestion with its answer, whatever the spec's unit; editors rewrite only the answer. The first label is
written for the model. "Done" ends a chain and is not part of it.
"""

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import StepUnit
from cotfaith.workers.strategies.prompts import read_prompt
from cotfaith.workers.strategies.subquestions import STEP_UNIT, split_answer, split_pairs
from cotfaith.workers.text.templates import Templates

FIRST_LABEL = "Subquestion 1:"
END = "Done"


class Decomposition:
    """The parts of the strategy protocol that do not depend on who answers the subquestions."""

    prompt_file: str
    """The name of the prompt that asks for subquestions."""
    needs_prefill = True

    def prompt(self, templates: Templates, item: Item) -> str:
        """Return the examples and the question; the assistant's turn is open."""
        request = read_prompt(self.prompt_file).replace("{question}", templates.question(item))
        return templates.chain_opening(request, "", templates.earlier(item))

    def split(self, text: str, unit: StepUnit) -> tuple[str, ...]:
        """Return the subquestions with their answers, whatever ``unit`` is."""
        return split_pairs(text)

    def step_unit(self, unit: StepUnit) -> str:
        """Return "subquestion"."""
        return STEP_UNIT

    def editable(self, step: str) -> tuple[str, str]:
        """Let the editor change only the answer."""
        return split_answer(step)
