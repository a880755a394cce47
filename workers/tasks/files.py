"""Files of records. In: JSON, JSON lines, CSV, TSV or Parquet, plain or gzipped (``.gz``). Out: a list of dicts.

The file name's ending decides the kind; ``read_json``, ``read_csv`` and ``read_parquet`` read each. Text is UTF-8, or
UTF-16 with its byte-order mark. Knows nothing about tasks except the names of the columns that the caller needs: they
distinguish one record from a file of records, and reveal a CSV without a header. Records are counted from 0, lines from
1. ``limits.py`` says how large files and records may be.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.limits import characters_of, check_characters, most_characters, read_limited
from cotfaith.workers.tasks.read_csv import read_csv, read_tsv
from cotfaith.workers.tasks.read_json import read_json, read_json_lines
from cotfaith.workers.tasks.read_parquet import read_parquet
from cotfaith.workers.tasks.unicode import has_half, without_halves
from cotfaith.workers.tasks.values import Record, file_kind, where

Columns = Sequence[str]
_SHOWN = 10
Reader = Callable[[Path, bytes, Columns], list[Record]]


def read_records(path: Path, columns: Columns = ()) -> list[Record]:
    """Return the file's records; ``columns``: the names that the caller expects in each record.

    Raises:
        TaskError: the file is missing, empty, too large or of an unknown kind, or it names the line or record that
            cannot be read.

    """
    if path.is_dir():
        found = sorted(one.name for one in path.iterdir() if file_kind(one) in READERS)[:_SHOWN]
        raise TaskError(
            f"{path}: there is no such file, this is a folder. Name one of: {', '.join(found) or 'its files'}."
        )
    reader = READERS.get(file_kind(path))
    if reader is None:
        raise TaskError(
            f"{path}: cannot tell what kind of file this is; name it {', '.join(sorted(READERS))} (or .gz)."
        )
    data = _bytes(path)
    if not data:
        raise TaskError(f"{path}: the file is empty; expected records. Fill it, or use another file.")
    records = reader(path, data, columns)
    if not records:
        raise TaskError(f"{path}: the file has no records; expected one or more. Fill it, or use another file.")
    _check_lengths(path, records)
    return _valid_unicode(path, records)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise TaskError(f"{path}: there is no such file (working directory: {Path.cwd()}). Fix the task's path.")
    return read_limited(path)


def _check_lengths(path: Path, records: list[Record]) -> None:
    most = most_characters()
    for index, record in enumerate(records):
        check_characters(where(path, index), characters_of(record), most)


def _valid_unicode(path: Path, records: list[Record]) -> list[Record]:
    """Return the records with U+FFFD for each half of a surrogate pair; warn how many contained one."""
    broken = [index for index, record in enumerate(records) if has_half(record)]
    for index in broken:
        records[index] = without_halves(records[index])
    if broken:
        warnings.warn(
            f"{where(path, broken[0])}: half of a surrogate pair, which is not valid text, was read as U+FFFD; "
            f"{len(broken):,} of {len(records):,} records have one.",
            stacklevel=3,
        )
    return records


READERS: dict[str, Reader] = {
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
