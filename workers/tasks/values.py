"""The value of a record's field: one reader for every adapter, so no value is turned into its Python notation.

A value is a text, a number, a boolean, a list of texts, or missing. Null, NaN (a number or that word), white space and
an empty list are missing. CSV and TSV have only texts, so there the words that pandas reads as missing are missing too.
Anything else (objects, lists in lists, bytes, dates, numbers that are not finite) is a ``TaskError`` that names file,
record and field. Knows nothing about tasks.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.guesses import guessed, listed, questions
from cotfaith.workers.text.canonical import canonical_number

Record = dict[str, Any]
MISSING_WORDS = frozenset({"", "NULL", "null", "None", "N/A", "n/a", "NA", "<NA>", "#N/A", "#NA", "-nan", "-NaN"})
"""Words that mean missing in CSV and TSV, as in pandas; "nan" in any case is missing in every file."""


class Unreadable:
    """A value of a type that a file's reader cannot represent; only its type's name is kept."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def where(path: Path, index: int) -> str:
    """Name a record in a message."""
    return f"{path}, record {index} (counted from 0)"


def columns_of(records: Iterable[Record]) -> list[str]:
    """Return the names of all fields, in the order in which they first occur."""
    return list(dict.fromkeys(name for record in records for name in record))


def has_only_texts(path: Path) -> bool:
    """Return whether all values of the file are texts (CSV, TSV)."""
    return file_kind(path) in (".csv", ".tsv")


def file_kind(path: Path) -> str:
    """Return the file name's ending in lower case: ".csv" for "a.csv" and "a.CSV.gz"; "" if there is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kinds = suffixes[:-1] if suffixes[-1:] == [".gz"] else suffixes
    return kinds[-1] if kinds else ""


def is_missing(value: Any, only_texts: bool = False) -> bool:
    """Return whether the value is missing."""
    if isinstance(value, str):
        text = value.strip()
        return not text or text.lower() == "nan" or (only_texts and text in MISSING_WORDS)
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def kind_of(value: Any) -> str:
    """Describe the kind of value, for a message."""
    if isinstance(value, Unreadable):
        return value.kind
    if isinstance(value, list | tuple) and value:
        kinds = sorted({"a list" if isinstance(part, list | tuple) else kind_of(part) for part in value})
        return f"a list of {kinds[0].removeprefix('a ').removeprefix('an ')}s" if len(kinds) == 1 else "a mixed list"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    names = {
        str: "a text",
        list: "a list",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        dict: "an object",
        bytes: "a byte string",
    }
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")


def scalar_text(value: Any) -> str | None:
    """Return a text unchanged, a finite number in plain notation (1e-07 as 0.0000001, 2.0 as 2); None for the rest."""
    return value if isinstance(value, str) else canonical_number(value)


def texts_of(value: Any) -> list[str] | None:
    """Return the texts of a list of texts; None for anything else."""
    if not isinstance(value, list | tuple) or not value:
        return None
    return list(value) if all(isinstance(part, str) for part in value) else None


def given(record: Record, name: str, path: Path) -> Any:
    """Return the record's value, or None if it is missing."""
    value = record.get(name)
    return None if is_missing(value, has_only_texts(path)) else value


def field_of(record: Record, name: str, path: Path, index: int) -> Any:
    """Return the record's value; raise a ``TaskError`` that names file, record, field and the record's fields."""
    value = given(record, name, path)
    if value is None:
        what = "is empty" if name in record else "is missing"
        own = list(record)
        guess = questions(guessed({name: name}, map(str, own))) + " " if name not in record else ""
        at = f"{where(path, index)}: field {name!r} {what}{_shown(record.get(name))}"
        raise TaskError(
            f"{at}; the record has {listed(own, quoted=False)}. {guess.lstrip()}"
            "Fix the record; for mapped files, the task's fields set which columns are read."
        )
    return value


def _shown(value: Any) -> str:
    """Name the word that was read as missing."""
    return f" ({value.strip()!r} means missing)" if isinstance(value, str) and value.strip() else ""


def text_of(record: Record, name: str, path: Path, index: int) -> str:
    """Return a text; raise ``TaskError`` for anything else."""
    value = field_of(record, name, path, index)
    if not isinstance(value, str):
        raise wrong_kind(record, name, path, index, "a text")
    return value


def word_of(record: Record, name: str, path: Path, index: int) -> str:
    """Return a text, or a number as text; raise ``TaskError`` for anything else."""
    text = scalar_text(field_of(record, name, path, index))
    if text is None:
        raise wrong_kind(record, name, path, index, "a text or a number")
    return text


def wrong_kind(record: Record, name: str, path: Path, index: int, expected: str) -> TaskError:
    """Return the error for a value of a kind other than ``expected``."""
    got = kind_of(record.get(name))
    return TaskError(f"{where(path, index)}: field {name!r} is {got}, expected {expected}. Fix the record.")
