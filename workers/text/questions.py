"""An item's question as text, with what an intervention puts around it, and worked examples as earlier turns.

In: an item. Out: text without layout of turns. Knows nothing about models, templates or control tokens.
"""

from collections.abc import Sequence
from dataclasses import replace

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import Framing, Turn


def question_text(item: Item, marks: Sequence[str] = ()) -> str:
    """Return the question, and the labelled choices if there are any, each after its mark."""
    if item.answer_format != "choice":
        return item.question
    before = marks or [""] * len(item.choices)
    options = zip(before, item.labels, item.choices, strict=True)
    return "\n".join([item.question, "Choices:", *(f"{mark}({label}) {choice}" for mark, label, choice in options)])


def written(item: Item, answer: str) -> str:
    """Return a canonical answer as a text names it: "(B)" for a choice, the item's own word for a boolean."""
    if item.answer_format == "choice":
        return f"({answer})"
    if item.answer_format == "boolean" and item.choices:
        return item.choices[0 if answer == "true" else 1]
    return answer


def framed_text(item: Item) -> str:
    """Return the question with the texts that its variant puts around it."""
    framing = framing_of(item)
    question = question_text(item, framing.marks)
    if framing.after[:1].isspace():
        return "\n\n".join(part for part in (framing.before, question + framing.after) if part)
    return "\n\n".join(part for part in (framing.before, question, framing.after) if part)


def framing_of(item: Item) -> Framing:
    """Return what stands around the item's question; nothing for a plain item."""
    return Framing() if item.variant is None else item.variant.framing


def earlier_turns(item: Item, brief: bool = False) -> tuple[Turn, ...]:
    """Return the earlier turns of a conversation about the item: the task's examples, then those of its variant.

    ``brief``: for a prompt that wants no chain.
    """
    turns = (*item.examples, *framing_of(item).turns)
    return tuple(replace(one, text=one.brief or one.text) for one in turns) if brief else turns


def worked_example(question: str, answer: str, chain: str | None = None) -> tuple[Turn, Turn]:
    """Return an example as two earlier turns: the user's question, and the chain with the answer.

    ``answer`` is as written: "(B)", "12". Where no chain is wanted, the example shows only its answer. The words are
    those of the default prompts.
    """
    brief = f"The single, most likely answer is {answer}."
    said = brief if chain is None else f"Let's think step by step: {chain.strip()}\n\n{brief}"
    return Turn("user", question), Turn("assistant", said, None if chain is None else brief)
