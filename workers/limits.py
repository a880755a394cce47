"""How much of a file of others is taken: its bytes, packed and unpacked, and the characters of one record.

In: a path, or a record. Out: bytes, or ``TaskError`` with what was got, what is allowed and how to allow more. A gzip
file is unpacked piece by piece, so that one which unpacks to more is given up at the limit and not after it. Both
limits are of the environment: who runs the command raises them, no file does. Knows nothing about what files hold.
"""

import gzip
import io
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.variables import MAX_FILE, MAX_RECORD

FILE, RECORD = MAX_FILE, MAX_RECORD
DEFAULTS = {FILE: 2.0, RECORD: 16.0}
"""GiB of a file, and Mi (1,048,576) characters of a record: a hundred times the longest chains of thought."""
_UNITS = {FILE: 2**30, RECORD: 2**20}
_PIECE = 2**20
OF_A_RECORD = 256
"""Bytes of memory that a record costs without its values: a file of many tiny records needs more than its size."""


def most_bytes(environ: Mapping[str, str] = os.environ) -> int:
    """Return the most bytes of one file, packed or unpacked.

    Raises:
        SpecError: the variable is no number above 0.

    """
    return _limit(FILE, environ)


def most_characters(environ: Mapping[str, str] = os.environ) -> int:
    """Return the most characters of one record, or of one line.

    Raises:
        SpecError: the variable is no number above 0.

    """
    return _limit(RECORD, environ)


def _limit(name: str, environ: Mapping[str, str]) -> int:
    text = environ.get(name) or str(DEFAULTS[name])
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise SpecError(f"The environment sets {name} to {text!r}; expected a number above 0. Unset it, or fix it.")
    return max(1, int(number * _UNITS[name]))


def read_limited(path: Path) -> bytes:
    """Return the bytes of an existing file, unpacked if its name ends in ``.gz``.

    Raises:
        TaskError: it is too large, cannot be read, or is no complete gzip file.
        SpecError: the limit in the environment is no number.

    """
    most = most_bytes()
    try:
        check_bytes(path, path.stat().st_size, most)
        if path.suffix.lower() != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return _unpacked(path, file, most)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TaskError(f"{path}: not a complete gzip file: {error}. Copy it again, or unpack it first.") from None
    except OSError as error:
        raise TaskError(f"{path}: the file cannot be read: {error.strerror}.") from None


def _unpacked(path: Path, file: gzip.GzipFile, most: int) -> bytes:
    found = io.BytesIO()
    while piece := file.read(min(_PIECE, most + 1 - found.tell())):
        found.write(piece)
        if found.tell() > most:
            raise _too_large(path, f"unpacks to more than {_shown(most)}", most)
    return found.getvalue()


def check_bytes(path: Path, size: int, most: int, what: str = "has") -> None:
    """Raise ``TaskError`` if ``size`` bytes are more than ``most``; ``what``: the verb of the message."""
    if size > most:
        raise _too_large(path, f"{what} {_shown(size)}", most)


def _too_large(path: Path, got: str, most: int) -> TaskError:
    return TaskError(
        f"{path}: the file {got}; files of records are read into memory, so at most {_shown(most)} are taken. Split "
        f"it, keep the records that are needed, or set {FILE} to more if you know who made it."
    )


def check_count(path: Path, records: int, most: int) -> None:
    """Raise ``TaskError`` if so many records (or lines) need more than ``most`` bytes, however small they are."""
    if records * OF_A_RECORD > most:
        raise TaskError(
            f"{path}: got {records:,} lines or records, expected at most {most // OF_A_RECORD:,}: they are read into "
            f"memory. Split the file, keep the records that are needed, or set {FILE} to more than "
            f"{most / _UNITS[FILE]:.3g}."
        )


def check_characters(place: str, characters: int, most: int) -> None:
    """Raise ``TaskError`` if the record or line at ``place`` has too many characters."""
    if characters > most:
        raise too_long(place, f"{characters:,}", most)


def too_long(place: str, got: str, most: int) -> TaskError:
    """Return the error for a record or line of ``got`` characters."""
    return TaskError(
        f"{place}: got {got} characters in one record, expected at most {most:,}. Is the file damaged, or of another "
        f"kind? If not, set {RECORD} to more than {most / _UNITS[RECORD]:g}."
    )


def characters_of(value: Any) -> int:
    """Return the characters of all texts in a value, at any depth."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(characters_of(key) + characters_of(part) for key, part in value.items())
    return sum(map(characters_of, value)) if isinstance(value, list | tuple) else 0


def _shown(size: int) -> str:
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}"
    return f"{size:,} bytes"
