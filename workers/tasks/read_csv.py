"""CSV and TSV -> records, every value a text as written. Python's csv module reads; this module checks what it accepts.

Every line must have as many values as the header; white space around the header's names does not count. If the wanted
columns are all numbers ("1", "2"), the file has no header: its columns are numbered from 1.

The separator of a ``.csv`` file is the first of ``SEPARATORS`` that gives every line as many values as the header, at
least two, and the wanted columns. If none does, it is the comma, or the first that the header has if it has no comma. A
first line ``sep=;`` (Excel) names it.

Polars and pyarrow are not used: polars reads a line with too few values as if the last were missing, and pyarrow closes
an open quote at the file's end; neither names the line.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.limits import check_count, most_bytes, most_characters, too_long
from cotfaith.workers.tasks.decode import decode
from cotfaith.workers.tasks.values import Record

Line = tuple[int, list[str]]
"""The record's last line number in the file, from 1, and its values."""
_TELLING = frozenset(
    {"question", "gold", "answer", "choices", "options", "label", "id", "cot", "prompt", "input", "target"}
)


SEPARATORS = (",", ";", "\t", "|")
_NAMED = re.compile(r'"?sep=(?P<separator>[^\r\n])"?\r?\n')


def read_csv(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a CSV file."""
    text = decode(path, data)
    if named := _NAMED.match(text):
        return _records(path, _split(path, text, named["separator"])[1:], columns)
    return _records(path, _separated(path, text, columns), columns)


def read_tsv(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a tab-separated file."""
    return _records(path, _split(path, decode(path, data), "\t"), columns)


def _separated(path: Path, text: str, columns: Sequence[str]) -> list[Line]:
    for separator in SEPARATORS:
        try:
            lines = _split(path, text, separator)
        except TaskError:
            continue
        if _fits(lines, columns):
            return lines
    return _split(path, text, _likely(text))


def _fits(lines: list[Line], columns: Sequence[str]) -> bool:
    """Return whether the lines are of one width, at least two, and have the wanted columns, by name or number."""
    widths = {len(row) for _, row in lines}
    if len(widths) != 1 or widths == {1}:
        return False
    known = {name.strip() for name in lines[0][1]}
    return set(columns) <= known or set(columns) <= set(map(str, range(1, max(widths) + 1)))


def _likely(text: str) -> str:
    """Return the separator of a file that none fits: its messages are about lines that this one splits."""
    csv.field_size_limit(len(text))  # no limit here
    for separator in SEPARATORS:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        if len(next((row for row in rows if row), [])) > 1:
            return separator
    return ","


def _split(path: Path, text: str, separator: str) -> list[Line]:
    most = most_characters()
    csv.field_size_limit(most)  # Python's own, 131,072, is too small for a long chain of thought
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = ((reader.line_num, row) for row in reader if any(map(str.strip, row)))
        return list(_counted(path, lines))
    except csv.Error as error:
        if "field limit" in str(error):
            raise too_long(f"{path}, line {reader.line_num}", f"more than {most:,}", most) from None
        raise TaskError(f"{path}, line {reader.line_num}: not CSV: {error}.") from None


def _counted(path: Path, lines: Iterable[Line]) -> Iterator[Line]:
    most = most_bytes()
    for count, line in enumerate(lines, start=1):
        check_count(path, count, most)
        yield line


def _records(path: Path, lines: list[Line], columns: Sequence[str]) -> list[Record]:
    if not lines:
        return []
    header = [name.strip() for name in lines[0][1]]
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
    kept = [i for i, name in enumerate(header) if name or any(row[i].strip() for row in rows)]
    names = [header[i] for i in kept]
    if len(set(names)) < len(names):
        raise TaskError(f"{path}: two columns have the same name: {', '.join(names)}. Rename one of them.")
    return kept
