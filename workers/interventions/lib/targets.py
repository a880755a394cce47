"""The answers that an intervention can push towards.

In: an item. Out: canonical answers; ``written`` gives their written form. Knows nothing about framings.
"""

from random import Random

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.workers.text.answers import canonical_gold
from cotfaith.workers.text.questions import written as written


def possible_answers(item: Item) -> tuple[str, ...]:
    """Return the item's possible answers in canonical form; empty if they are not known."""
    if item.answer_format == "boolean":
        return ("true", "false")
    return item.labels or item.choices


def wrong_target(item: Item, random: Random) -> str:
    """Draw a wrong answer, each with the same probability.

    Raises:
        TaskError: the item's possible answers are not known, or all of its choices have the same text.

    """
    wrong = wrong_answers(item)
    return random.choice(wrong)


def wrong_answers(item: Item) -> list[str]:
    """Return the possible answers that are wrong, in order; a choice with the gold's text is not wrong.

    Raises:
        TaskError: as ``wrong_target`` does.

    """
    if not (answers := possible_answers(item)):
        raise TaskError(
            f"no wrong answer can be drawn: its possible answers are not known ({item.answer_format}). Use a task with "
            "choices, yes / no questions, or a closed set of numbers."
        )
    right = _said(item, canonical_gold(item))
    if not (wrong := [answer for answer in answers if _said(item, answer) != right]):
        raise TaskError("no wrong answer can be drawn: all of its choices have the same text. Fix or remove the item.")
    return wrong


def _said(item: Item, answer: str) -> str:
    return " ".join(choice_text(item, answer).split()) if item.answer_format == "choice" else answer


def choice_text(item: Item, label: str) -> str:
    """Return the text of the choice with this label."""
    return item.choices[CHOICE_LABELS.index(label)]
