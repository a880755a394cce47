"""Any file of records, by a mapping from our fields to the file's.

Ours: question and gold (required), choices, id, difficulty; columns that are not mapped are ignored. How choices and a
multiple-choice gold are read: ``choices.py``. Other golds: ``canonical.py``. For ``boolean``, mapped choices are the
words for (true, false); by default they are Yes / No if the file's golds are, else True / False.
"""

from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import CHOICE_LABELS, AnswerFormat, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.canonical import canonical_boolean, canonical_number, canonical_text, decimal_number
from cotfaith.workers.tasks.choices import gold_label, read_choices
from cotfaith.workers.tasks.files import Record, field_of, where
from cotfaith.workers.tasks.ids import item_id

OURS = ("id", "question", "choices", "gold", "difficulty")
READ_GOLD = {"number": canonical_number, "boolean": canonical_boolean, "text": canonical_text}


def mapped(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record."""
    answer_format = _answer_format(spec)
    words = _boolean_words(spec, records) if answer_format == "boolean" else ()
    return [_item(spec, path, i, record, answer_format, words) for i, record in enumerate(records)]


def _answer_format(spec: TaskSpec) -> AnswerFormat:
    for ours in spec.fields:
        if ours not in OURS:
            raise SpecError(f"task {spec.name!r}, fields: {unknown('field', ours, OURS)}")
    for ours in ("question", "gold"):
        if ours not in spec.fields:
            raise SpecError(f"task {spec.name!r}: fields must say which column holds the {ours}: {ours}: <column>.")
    default: AnswerFormat = "choice" if "choices" in spec.fields else "text"
    answer_format = spec.answer_format or default
    if answer_format == "choice" and "choices" not in spec.fields:
        raise SpecError(f"task {spec.name!r}: answer_format choice needs a column for choices in fields.")
    if answer_format in ("number", "text") and "choices" in spec.fields:
        raise SpecError(f"task {spec.name!r}: answer_format {answer_format} takes no choices; remove them from fields.")
    return answer_format


def _boolean_words(spec: TaskSpec, records: list[Record]) -> tuple[str, str]:
    golds = {str(record.get(spec.fields["gold"])).strip().lower() for record in records}
    return ("Yes", "No") if golds & {"yes", "no"} else ("True", "False")


def _item(
    spec: TaskSpec, path: Path, index: int, record: Record, answer_format: AnswerFormat, words: tuple[str, ...]
) -> Item:
    fields = spec.fields
    if "choices" in fields:
        words = _choices(field_of(record, fields["choices"], path, index), path, index)
    given_id = field_of(record, fields["id"], path, index) if "id" in fields else item_id(spec.name, index)
    return Item(
        id=str(given_id).strip(),
        question=str(field_of(record, fields["question"], path, index)).strip(),
        gold=_gold(field_of(record, fields["gold"], path, index), answer_format, words, where(path, index)),
        answer_format=answer_format,
        choices=words,
        difficulty=_difficulty(record, fields["difficulty"], path, index) if "difficulty" in fields else None,
    )


def _choices(value: Any, path: Path, index: int) -> tuple[str, ...]:
    choices = read_choices(value)
    if choices is None:
        raise TaskError(f"{where(path, index)}: choices must be a list, or text with | between them; got {value!r}.")
    if len(choices) > len(CHOICE_LABELS):
        raise TaskError(f"{where(path, index)}: {len(choices)} choices; at most {len(CHOICE_LABELS)} are possible.")
    return choices


def _gold(value: Any, answer_format: AnswerFormat, choices: tuple[str, ...], at: str) -> str:
    if answer_format == "choice":
        try:
            return gold_label(value, choices)
        except ValueError as error:
            raise TaskError(f"{at}: {error}.") from None
    gold = READ_GOLD[answer_format](value)
    if gold is None:
        raise TaskError(f"{at}: gold {value!r} is not a {answer_format}; mend it or change answer_format.")
    return gold


def _difficulty(record: Record, name: str, path: Path, index: int) -> float | None:
    if name in record and record[name] in (None, ""):
        return None  # An item may have none.
    value = field_of(record, name, path, index)
    number = decimal_number(value)
    if number is None:
        raise TaskError(f"{where(path, index)}: difficulty {value!r} (field {name!r}) is not a number.")
    return float(number)
