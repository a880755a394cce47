"""JSON and JSON lines -> records.

A ``.json`` file is a list of objects, an object with one list of objects (BBH: ``examples``; other empty lists do not
count), one record, a table by columns (pandas: ``orient`` columns or split; ``Dataset.to_dict``), or JSON lines (AQuA).
An object is one record if it has the wanted columns itself, and not as lists.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.limits import check_characters, check_count, most_bytes, most_characters
from cotfaith.workers.tasks.decode import decode
from cotfaith.workers.tasks.json_text import parse_json
from cotfaith.workers.tasks.values import Record, where


def read_json(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a JSON file."""
    text = decode(path, data)
    try:
        parsed = parse_json(text)
    except ValueError as error:
        if _is_object(text.strip().split("\n", 1)[0]):
            return _lines(path, text)
        raise TaskError(f"{path}: not JSON: {error}.") from None
    return _objects(path, _list_in(path, parsed, columns))


def read_json_lines(path: Path, data: bytes, columns: Sequence[str]) -> list[Record]:
    """Return the records of a file with one JSON object per line."""
    return _lines(path, decode(path, data))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)  # the reader of lines reports a duplicate key
    except (ValueError, RecursionError):
        return False


def _list_in(path: Path, data: Any, columns: Sequence[str]) -> list[Any]:
    if isinstance(data, list):
        return data
    if not isinstance(data, dict):
        raise TaskError(f"{path}: expected a list of objects, got {type(data).__name__}.")
    if (rows := _rows(path, data, columns)) is not None:
        return rows
    if columns and data.keys() >= set(columns):
        return [data]
    if isinstance(data.get("examples"), list):
        return list(data["examples"])
    lists = [value for value in data.values() if _has_objects(value)]
    fitting = [rows for rows in lists if columns and rows[0].keys() >= set(columns)]
    if len(lists) != 1 and len(fitting) != 1:
        return _no_list(path, data, len(lists), columns)
    return list(fitting[0] if len(fitting) == 1 else lists[0])


def _rows(path: Path, data: Record, columns: Sequence[str]) -> list[Record] | None:
    """Return the rows of a table written by columns, as pandas and Hugging Face do; None if ``data`` is not one."""
    names, lines = data.get("columns"), data.get("data")
    if isinstance(names, list) and isinstance(lines, list) and set(data) <= {"columns", "index", "data"}:
        if any(not isinstance(line, list) or len(line) != len(names) for line in lines):
            raise TaskError(f"{path}: a row of 'data' is not a list of {len(names)} values, one for each of 'columns'.")
        if len(set(map(str, names))) < len(names):
            raise TaskError(
                f"{path}: two columns have the same name: {', '.join(map(str, names))}. Rename one of them."
            )
        return [dict(zip(map(str, names), line, strict=True)) for line in lines]
    if not columns or not data.keys() >= set(columns) or not all(_is_column(data[name]) for name in columns):
        return None
    keys = [
        list(column) if isinstance(column, dict) else len(column) if isinstance(column, list) else None
        for column in data.values()
    ]
    if any(key != keys[0] for key in keys):
        raise TaskError(f"{path}: its columns have different rows; expected the same in each, or a list of records.")
    values = [list(column.values()) if isinstance(column, dict) else column for column in data.values()]
    return [dict(zip(data, row, strict=True)) for row in zip(*values, strict=True)]


def _is_column(value: Any) -> bool:
    """Return whether a value is a column of a table: a list that is not messages, or an object keyed by row number."""
    if isinstance(value, dict):
        return bool(value) and all(str(key).isdecimal() for key in value)
    return isinstance(value, list) and bool(value) and not all(isinstance(part, dict) for part in value)


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _no_list(path: Path, data: Record, n: int, columns: Sequence[str]) -> list[Any]:
    """Return no records if all lists are empty; raise otherwise."""
    if any(value == [] for value in data.values()) and not n:
        return []
    wanted = f" One record has {', '.join(columns)}." if columns else ""
    raise TaskError(
        f"{path}: expected a list of objects, or an object with exactly one such list; "
        f"got an object with {n} (keys: {', '.join(data)}).{wanted} Use a .jsonl file for one record per line."
    )


def _objects(path: Path, rows: list[Any]) -> list[Record]:
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise TaskError(f"{where(path, index)}: expected an object, got {type(row).__name__}.")
    return rows


def _lines(path: Path, text: str) -> list[Record]:
    # Not splitlines(): it also breaks at U+2028 and other characters that JSON strings may contain.
    most = most_characters()
    check_count(path, text.count("\n"), most_bytes())
    return [_line(path, number, line, most) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _line(path: Path, number: int, line: str, most: int) -> Record:
    check_characters(f"{path}, line {number}", len(line), most)
    try:
        row = parse_json(line)
    except ValueError as error:
        raise TaskError(f"{path}, line {number}: not JSON: {error}. Got {line[:80]!r}.") from None
    if not isinstance(row, dict):
        raise TaskError(f"{path}, line {number}: expected an object, got {type(row).__name__}.")
    return row
