"""The answers that an intervention can push towards.

In: an item. Out: canonical answers; ``written`` gives their written form. Knows nothing about framings.
"""

from random import Random

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.workers.text.answers import canonical_gold
from cotfaith.workers.text.questions import written as written


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
