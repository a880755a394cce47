"""Golds that need unmapped choices: all of them are letters, or indexes into a column that is not mapped.

The question would be asked without its options, and every answer would be wrong. Such a file is refused, with the
mapping to add. If the answers really are single letters, set ``answer_format: text``.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from cotfaith.workers.tasks.choices import read_choices
from cotfaith.workers.tasks.open_format import LETTERS
from cotfaith.workers.tasks.values import Record, is_missing, scalar_text

_LETTER = re.compile(r"(?:(?:option|choice|answer)\s+)?[\s\"'*]*\(?[A-Ja-j]\)?[.):]?[\s\"'*]*", re.IGNORECASE)
_COLUMN = re.compile(
    r"(?:.*[_ .-])?(?:choices?|options?|endings|alternatives|candidates|answers|mc\d_targets)", re.IGNORECASE
)
_ONE = re.compile(r"(?:(?:option|choice|answer|opt|ending)[_ .-]?)?([A-Ja-j]|\d{1,2})", re.IGNORECASE)


def are_letters(golds: Sequence[Any], bare: bool = False) -> bool:
    """Return whether there are golds, and all are labels of choices; ``bare``: also bare lower-case letters."""
    texts = [gold.strip() for gold in golds if isinstance(gold, str)]
    if not texts or len(texts) < len(golds) or not all(_are_labels(text) for text in texts):
        return False
    return bare or not all(text.islower() and len(text) == 1 for text in texts)


def _are_labels(text: str) -> bool:
    return bool(_LETTER.fullmatch(text) or LETTERS.fullmatch(text))


def needs_choices(records: Sequence[Record], golds: Sequence[Any], mapped: Collection[str]) -> bool:
    """Return whether the golds are letters, or indexes into an unmapped column of choices; ``mapped``: the others."""
    column = choice_columns(records, mapped)
    if are_letters(golds, bare=bool(column)):
        return True
    numbers = [scalar_text(gold) or "" for gold in golds]
    if not column or not all(number.isdecimal() and len(number) < 3 for number in numbers):
        return False
    return all(int(number) <= _size(record, column) for number, record in zip(numbers, records, strict=True))


def choice_columns(records: Sequence[Record], mapped: Collection[str]) -> str:
    """Return what to map as choices: one column's name, several separated by commas, or "" if no column fits."""
    names = [name for name in _names(records) if name not in mapped]
    for name in names:
        if _COLUMN.fullmatch(name) and all(_size(record, name) > 1 for record in records[:100]):
            return name
    lettered = sorted((matched[1].upper(), name) for name in names if (matched := _ONE.fullmatch(name)))
    codes = [int(label) if label.isdecimal() else ord(label) for label, _ in lettered]
    in_a_row = len(codes) > 1 and codes == list(range(codes[0], codes[0] + len(codes)))
    return ",".join(name for _, name in lettered) if in_a_row else ""


def mapping_to_write(records: Sequence[Record], mapped: Collection[str], line: str) -> str:
    """Return the fix as a sentence; ``line``: the setting to add, with ``{}`` in the place of the column."""
    columns = line.replace("{}", choice_columns(records, mapped) or "COLUMN")
    return (
        f"The file has the columns {', '.join(map(repr, _names(records)))}. Map the one (or those) with the choices: "
        f"{columns}. If the task is open and its answers are such letters or numbers, set answer_format "
        "(import: --answer-format)."
    )


def _names(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def _size(record: Record, column: str) -> int:
    names = [column] if column in record else column.split(",")
    if len(names) > 1:
        return sum(not is_missing(record.get(name)) for name in names)
    try:
        return len(read_choices(record.get(column)).texts)
    except ValueError:
        return 0
