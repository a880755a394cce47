"""CSV and TSV -> records, every value a text. Python's csv module reads; this module checks what csv accepts.

The separator of a ``.csv`` file is the comma. It is the semicolon (Excel in most of Europe) or the tab if the header
contains one of them and would be a single column with commas. Every line must have as many values as the header. If the
wanted columns are all numbers ("1", "2"), the file has no header: its columns are numbered from 1.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.decode import decode
from cotfaith.workers.tasks.values import Record

Line = tuple[int, list[str]]
"""The record's last line number in the file, from 1, and its values."""
_LONGEST = 2**31 - 1
"""The most characters of one value. Python's own limit, 131,072, is too small for a long chain of thought."""
_TELLING = frozenset(
    {"question", "gold", "answer", "choices", "options", "label", "id", "cot", "prompt", "input", "target"}
)


def read_csv(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a CSV file."""
    text = decode(path, data)
    return _records(path, _split(path, text, _separator(text)), columns)


def read_tsv(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a tab-separated file."""
    return _records(path, _split(path, decode(path, data), "\t"), columns)


def _separator(text: str) -> str:
    csv.field_size_limit(_LONGEST)
    first = next((row for row in csv.reader(io.StringIO(text, newline="")) if row), [])
    found = [separator for separator in (";", "\t") if len(first) == 1 and separator in first[0]]
    return found[0] if found else ","


def _split(path: Path, text: str, separator: str) -> list[Line]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise TaskError(f"{path}, line {reader.line_num}: not CSV: {error}.") from None


def _records(path: Path, lines: list[Line], columns: Sequence[str]) -> list[Record]:
    if not lines:
        return []
    header = lines[0][1]
    numbered = bool(columns) and all(name.isdecimal() for name in columns) and not set(columns) <= set(header)
    if numbered:
        _refuse_header(path, header)
        header = [str(number) for number in range(1, len(header) + 1)]
    rows = lines if numbered else lines[1:]
    for line, row in rows:
        if len(row) != len(header):
            first = "the first line" if numbered else "the header"
            raise TaskError(
                f"{path}, line {line}: expected {len(header)} values as in {first}, got {len(row)}; "
                "quote values that contain the separator."
            )
    kept = _named(path, header, [row for _, row in rows])
    return [{header[i]: row[i] for i in kept} for _, row in rows]


def _refuse_header(path: Path, first: list[str]) -> None:
    telling = [name for name in first if name.strip().lower() in _TELLING]
    if telling:
        raise TaskError(
            f"{path}: columns are named by number, as without a header, but the first line looks like a header "
            f"({', '.join(map(repr, first))}). Use these names, or remove that line."
        )


def _named(path: Path, header: list[str], rows: list[list[str]]) -> list[int]:
    """Return the indexes of the columns to keep: columns without a name and without values are left out."""
    kept = [i for i, name in enumerate(header) if name.strip() or any(row[i].strip() for row in rows)]
    names = [header[i] for i in kept]
    if len(set(names)) < len(names):
        raise TaskError(f"{path}: two columns have the same name: {', '.join(names)}. Rename one of them.")
    return kept
