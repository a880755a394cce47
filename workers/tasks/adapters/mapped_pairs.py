"""What a mapped record says of its item's pair: which pair and side, which group, and which choices mean what.

In: the item as read so far and its record. Out: the item with ``pair``, ``side``, ``group``, ``unknown`` and
``stereotype``. Each may be missing in a record: not every item has a pair. The last two are read as golds are.
"""

from dataclasses import replace
from pathlib import Path

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import AnswerFormat, Item
from cotfaith.schemas.spec import GoldIs, TaskSpec
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.tasks.golds import check_gold_kind, gold_label
from cotfaith.workers.tasks.values import Record, given, where, word_of

OF_CHOICES = ("unknown", "stereotype")


def check_pair_fields(spec: TaskSpec, answer_format: AnswerFormat) -> None:
    """Refuse fields that name choices, if the task has none."""
    named = [ours for ours in OF_CHOICES if ours in spec.fields]
    if named and answer_format != "choice":
        raise SpecError(
            f"task {spec.name!r}, fields: {named[0]} names a choice, but the answer format is {answer_format}. "
            "Map choices, or remove it."
        )


def with_pair(
    item: Item, spec: TaskSpec, path: Path, index: int, record: Record, choices: Choices, gold_is: GoldIs
) -> Item:
    """Return the item with what its record says of its pair."""

    def word(ours: str) -> str | None:
        name = spec.fields.get(ours)
        if name is None or (name in record and given(record, name, path) is None):
            return None
        return word_of(record, name, path, index).strip()

    def label(ours: str) -> str | None:
        if word(ours) is None:
            return None
        value = record[spec.fields[ours]]
        try:
            check_gold_kind(value)
            return gold_label(value, choices, gold_is)
        except ValueError as error:
            raise TaskError(f"{where(path, index)}: field {spec.fields[ours]!r}: {error}.") from None

    return replace(
        item,
        pair=word("pair"),
        side=word("side"),
        group=word("group"),
        unknown=label("unknown"),
        stereotype=label("stereotype"),
    )
