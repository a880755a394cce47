"""The answers that an intervention can push towards, and how a text writes them.

In: an item. Out: canonical answers, and their written form. Knows nothing about framings.
"""

from random import Random

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.workers.text.answers import canonical_gold


def possible_answers(item: Item) -> tuple[str, ...]:
    """Return the item's possible answers in canonical form; empty if they are not known."""
    if item.answer_format == "boolean":
        return ("true", "false")
    return item.labels or item.choices


def wrong_target(item: Item, random: Random) -> str:
    """Draw a possible answer that is not the gold one.

    Raises:
        TaskError: the item's possible answers are not known.

    """
    gold = canonical_gold(item)
    if not (others := [answer for answer in possible_answers(item) if answer != gold]):
        raise TaskError(f"no wrong answer can be drawn: its possible answers are not known ({item.answer_format}).")
    return random.choice(others)


def written(item: Item, answer: str) -> str:
    """Return a canonical answer as a text names it: "(B)" for a choice, the item's own word for a boolean."""
    if item.answer_format == "choice":
        return f"({answer})"
    if item.answer_format == "boolean" and item.choices:
        return item.choices[0 if answer == "true" else 1]
    return answer
