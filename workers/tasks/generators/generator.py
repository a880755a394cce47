"""A generator of items: its name, its options, and a function that makes one item.

Item i depends on (run seed, task name, i) and the options, never on the number of items. Two items from a small space
(one-step chains) may have the same question. The items 2i and 2i + 1 of a generator of pairs are one pair: both get the
same random stream.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from cotfaith.schemas.records import Item
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import Section, check_section
from cotfaith.workers.tasks.ids import item_id

O = TypeVar("O", bound=Section)  # noqa: E741
Vary = Callable[[Item, Random, int], Sequence[str]]
"""(item, stream, k) -> at most k questions, all different, like the item's own but for one number or operation.

The answer format and the choices stay, and a chain of the item helps to answer them.
"""
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Draw:
    """The inputs of one item, besides the options."""

    id: str
    index: int
    random: Random


@dataclass(frozen=True)
class Generator(Generic[O]):
    """A family of items."""

    name: str
    summary: str
    """What its items are, in one line."""
    options: type[O]
    make: Callable[[O, Draw], Item]
    of_pairs: bool = False
    """Whether two items that follow each other are a pair."""
    vary: Vary | None = None
    """Other questions in place of an item's own; None: only an editor can write them."""

    @property
    def module(self) -> str:
        """The module that makes the items."""
        return self.make.__module__

    def generate(self, task: str, options: dict[str, Any], n: int, seed: int) -> list[Item]:
        """Return the first ``n`` items of ``task``; raise ``SpecError`` for options that it does not take."""
        checked = check_section(self.options, options, f"task {task!r}, options")
        size = 2 if self.of_pairs else 1
        draws = (Draw(item_id(task, i), i, Random(derive_seed(seed, task, i // size))) for i in range(n))
        return [self.make(checked, draw) for draw in draws]
