"""An adapter for any file of records, with a mapping from our fields to the file's columns.

Our fields are question and gold (required), choices, id, difficulty, and those of ``mapped_pairs.py``; columns that are
not mapped are ignored.
``choices.py`` reads choices, ``golds.py`` multiple-choice golds, ``canonical.py`` other golds. For ``boolean``, mapped
choices are the words for (true, false); by default these are Yes / No if the file's golds are, else True / False. The
choices can be in several columns, one each: ``choices: [A, B, C, D]``; a gold may then be a column's name.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import AnswerFormat, Item
from cotfaith.schemas.spec import GoldIs, TaskSpec
from cotfaith.workers.tasks.adapters.adapter import SETTINGS, Adapter
from cotfaith.workers.tasks.adapters.mapped_pairs import check_pair_fields, with_pair
from cotfaith.workers.tasks.choices import Choices, read_choices
from cotfaith.workers.tasks.golds import check_gold_kind, column_reading, gold_label, gold_of
from cotfaith.workers.tasks.guesses import written
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.mapping import check_fields, several
from cotfaith.workers.tasks.messages import question_text
from cotfaith.workers.tasks.open_format import default_format
from cotfaith.workers.tasks.open_golds import mapping_to_write, needs_choices
from cotfaith.workers.tasks.values import Record, field_of, given, is_missing, kind_of, scalar_text, where, word_of
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number, canonical_text, decimal_number

READ_GOLD = {"number": canonical_number, "boolean": canonical_boolean, "text": canonical_text}
_TRUTH = {"1": "true", "0": "false"}
_LONGEST = 300
"""The most characters of a difficulty; a longer one would be infinite."""
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


def mapped(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record."""
    answer_format = _answer_format(spec)
    check_fields(spec, path, records)
    choices = [mapped_choices(record, spec.fields.get("choices"), path, i) for i, record in enumerate(records)]
    golds = [
        gold_of(record, spec.fields["gold"], own, path, i)
        for i, (record, own) in enumerate(zip(records, choices, strict=True))
    ]
    if spec.answer_format is None and answer_format == "text":
        _refuse_unmapped_choices(spec, path, records, golds)
        answer_format = _open_format(path, golds)
    if answer_format == "choice":
        gold_is = column_reading(path, golds, choices) if spec.gold_is == "auto" else spec.gold_is
    else:
        gold_is, choices = "auto", _words(answer_format, choices, golds)
    check_pair_fields(spec, answer_format)
    if answer_format == "boolean" and "choices" not in spec.fields:  # if the user gives the words, 1 may be the second
        golds = [_TRUTH.get(canonical_number(gold) or "", gold) for gold in golds]
    read = list(enumerate(zip(records, golds, choices, strict=True)))
    items = [
        _item(spec, path, i, record, answer_format, _gold(gold, answer_format, own, gold_is, where(path, i)), own)
        for i, (record, gold, own) in read
    ]
    return [with_pair(items[i], spec, path, i, record, own, gold_is) for i, (record, _, own) in read]


def _answer_format(spec: TaskSpec) -> AnswerFormat:
    default: AnswerFormat = "choice" if "choices" in spec.fields else "text"
    answer_format = spec.answer_format or default
    if answer_format in ("number", "text") and "choices" in spec.fields:
        raise SpecError(f"task {spec.name!r}: answer_format {answer_format} takes no choices; remove them from fields.")
    if answer_format != "choice" and spec.gold_is != "auto":
        raise SpecError(f"task {spec.name!r}: gold_is is for choices; this task has none. Remove it.")
    return answer_format


def _refuse_unmapped_choices(spec: TaskSpec, path: Path, records: list[Record], golds: list[Any]) -> None:
    names = set(spec.fields.values())
    if not needs_choices(records, golds, names):
        return
    line = (
        f"fields: {{question: {written(spec.fields['question'])}, choices: {{}}, gold: {written(spec.fields['gold'])}}}"
    )
    raise TaskError(
        f"{path}: all golds (first: {golds[0]!r}) refer to choices, but no choices are mapped. "
        f"{mapping_to_write(records, names, line)}"
    )


def _open_format(path: Path, golds: list[Any]) -> AnswerFormat:
    try:
        return default_format(golds)
    except ValueError as error:
        raise TaskError(f"{path}: {error}; or set what golds are: answer_format: number, boolean or text.") from None


def mapped_choices(record: Record, name: str | None, path: Path, index: int) -> Choices:
    """Return the choices of one column, or of several columns separated by commas; none if no column is named."""
    if name is None:
        return Choices(())
    names = several(name, record)
    try:
        if len(names) > 1 and not record.keys().isdisjoint(names):
            return _of_columns(record, names)
        return read_choices(field_of(record, name, path, index))
    except ValueError as error:
        raise TaskError(f"{where(path, index)}: {error}.") from None


def _of_columns(record: Record, names: list[str]) -> Choices:
    """Return the choices in several columns, labelled by the columns' names; the last ones may be empty."""
    cells = [record.get(name) for name in names]
    while cells and is_missing(cells[-1]):
        cells.pop()
    if not cells:
        raise ValueError(f"all of the columns {', '.join(names)} are empty; fix or remove the record")
    gap = next((name for name, cell in zip(names, cells, strict=False) if is_missing(cell)), None)
    if gap is not None:
        at = f"one of the columns {', '.join(names)}"
        raise ValueError(f"{at} is empty before a filled one (the first is {gap}); fix the record")
    own = read_choices(cells)
    is_named = not own.labels and not any(name.isdecimal() for name in names)
    return replace(own, labels=tuple(names[: len(cells)])) if is_named else own


def _words(answer_format: AnswerFormat, choices: list[Choices], golds: list[Any]) -> list[Choices]:
    if answer_format != "boolean":
        return choices
    if any(own.texts for own in choices):
        return [_true_first(own) for own in choices]
    said = {gold.strip().lower() for gold in golds if isinstance(gold, str)}
    return [Choices(("Yes", "No") if said & {"yes", "no"} else ("True", "False"))] * len(golds)


def _true_first(choices: Choices) -> Choices:
    """Return the words in the order true, false, if their meaning is known ("no", "yes")."""
    said = [canonical_boolean(text) for text in choices.texts]
    return Choices(choices.texts[::-1]) if said == ["false", "true"] else choices


def _item(
    spec: TaskSpec, path: Path, index: int, record: Record, answer_format: AnswerFormat, gold: str, choices: Choices
) -> Item:
    fields, at = spec.fields, where(path, index)
    return Item(
        id=word_of(record, fields["id"], path, index).strip() if "id" in fields else item_id(spec.name, index),
        question=mapped_question(field_of(record, fields["question"], path, index), fields["question"], at),
        gold=gold,
        answer_format=answer_format,
        choices=choices.texts,
        difficulty=_difficulty(record, fields["difficulty"], path, index) if "difficulty" in fields else None,
    )


def mapped_question(value: Any, name: str, at: str) -> str:
    """Return a question's text; raise ``TaskError`` if ``value`` is not a plain text."""
    try:
        return question_text(value).strip()
    except ValueError as error:
        raise TaskError(f"{at}: field {name!r} {error}. Fix the record.") from None


def _gold(value: Any, answer_format: AnswerFormat, choices: Choices, gold_is: GoldIs, at: str) -> str:
    if answer_format == "choice":
        try:
            check_gold_kind(value)
            return gold_label(value, choices, gold_is)
        except ValueError as error:
            raise TaskError(f"{at}: {error}.") from None
    text = scalar_text(value) if answer_format == "text" else value
    gold = READ_GOLD[answer_format](text)
    if gold is None:
        got = repr(value) if isinstance(value, str | int | float) else kind_of(value)
        raise TaskError(f"{at}: gold {got} is not a {answer_format}; fix it or change answer_format.")
    return gold


def _difficulty(record: Record, name: str, path: Path, index: int) -> float | None:
    if name in record and given(record, name, path) is None:
        return None  # An item may have no difficulty.
    value = field_of(record, name, path, index)
    number = difficulty_of(value)
    if number is None:
        raise TaskError(
            f"{where(path, index)}: difficulty {value!r} (field {name!r}) is not a number. "
            "Fix it, leave it empty, or remove difficulty from fields."
        )
    return number


def difficulty_of(value: Any) -> float | None:
    """Return a number, or the only number in a text ("Level 5"); None if there is none."""
    number = decimal_number(value)
    if number is None and isinstance(value, str):
        found = _NUMBERS.findall(value)
        number = found[0] if len(found) == 1 else None
    return None if number is None or len(number) > _LONGEST else float(number)


def _columns(spec: TaskSpec) -> tuple[str, ...]:
    return tuple(spec.fields[ours] for ours in ("question", "gold") if ours in spec.fields)


ADAPTER = Adapter(
    name="mapped",
    summary="Any file of records, by the task's fields.",
    read=mapped,
    settings=frozenset(SETTINGS),
    columns=_columns,
)
