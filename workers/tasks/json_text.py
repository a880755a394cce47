"""JSON text -> values, stricter than Python's reader: no duplicate keys in an object, no huge whole numbers.

NaN and Infinity are read as floats; ``values.py`` decides which values count as missing.
"""

import json
import math
from typing import Any

from cotfaith.workers.tasks.unicode import without_halves

_LONGEST = 4000
"""The most digits of a whole number; Python refuses somewhat longer ones."""


def parse_json(text: str) -> Any:
    """Return the value; raise ``ValueError`` with the reason."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except RecursionError:
        raise ValueError("its lists or objects are nested too deeply") from None


def json_in_text(text: str) -> Any:
    """Return the value of JSON within a record's text, with U+FFFD for each half of a surrogate pair."""
    return without_halves(parse_json(text))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST else math.inf
