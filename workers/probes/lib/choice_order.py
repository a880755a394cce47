"""An item's choices in a new order, and answers translated to the letters of the item's own order.

Choices are identified by their place, not by their text: two may have the same text.
"""

import itertools
import math
import random
from collections.abc import Set
from dataclasses import dataclass, replace

from cotfaith.schemas.records import CHOICE_LABELS, Answer, Item


@dataclass(frozen=True)
class Order:
    """An order of the choices."""

    places: tuple[int, ...]
    """Place -> index of the choice in the item."""

    @classmethod
    def own_of(cls, item: Item) -> "Order":
        """Return the item's own order."""
        return cls(tuple(range(len(item.choices))))

    @property
    def letters(self) -> str:
        """The choices' own letters, as shown from top to bottom: "CAB" shows choice C at (A)."""
        return "".join(CHOICE_LABELS[index] for index in self.places)

    def shuffled(self, draw: random.Random, taken: Set["Order"]) -> "Order":
        """Draw an order that is not in ``taken``."""
        assert len(taken) < math.factorial(len(self.places)), "all orders of the choices are taken"
        tries = (Order(tuple(draw.sample(self.places, len(self.places)))) for _ in itertools.count())
        return next(order for order in tries if order not in taken)

    def shown(self, item: Item) -> Item:
        """Return the item with its choices in this order."""
        gold = CHOICE_LABELS[self.letters.index(item.gold)]
        return replace(item, choices=tuple(item.choices[index] for index in self.places), gold=gold)

    def own_letters(self, answer: Answer) -> Answer:
        """Return an answer to the item as shown, in the letters of the item's own order."""
        return replace(
            answer,
            value=self._own(answer.value),
            strict=self._own(answer.strict),
            loose=self._own(answer.loose),
            candidates=tuple(self.letters[CHOICE_LABELS.index(seen)] for seen in answer.candidates),
        )

    def _own(self, seen: str | None) -> str | None:
        return None if seen is None else self.letters[CHOICE_LABELS.index(seen)]
