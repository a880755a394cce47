"""What an adapter is: how to read a file's records as items.

An adapter sees all records of its file, in order, and gives items in the same order. An item's id is the record's
own, or the task's name and the record's index, so that later shuffles and cuts do not change it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.values import Record


@dataclass(frozen=True)
class Adapter:
    """How to read one layout of files."""

    name: str
    summary: str
    """What it reads, in one line."""
    read: Callable[[TaskSpec, Path, list[Record]], list[Item]]
    """(task, file, records) -> items; raises ``InputError`` if the records have another layout."""
    settings: frozenset[str] = frozenset()
    """The keys among ``SETTINGS`` that it takes."""
    columns: Callable[[TaskSpec], tuple[str, ...]] = lambda spec: ()
    """The columns that every record must have; the file's reader checks them, because its messages can say more."""

    @property
    def module(self) -> str:
        """The module that reads."""
        return self.read.__module__


SETTINGS = ("fields", "answer_format", "gold_is", "author")
"""The keys of a task that only some adapters take."""
