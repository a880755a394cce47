"""A digest of a list of items, so that a resumed run can check that its items are the same."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from cotfaith.schemas.records import Item

_LATER = ("unknown", "stereotype")
"""Fields that count where they are set: runs that were begun before items had them can go on."""


_SHALLOW = tuple(one.name for one in fields(Item) if one.name not in ("variant", "examples", "supplied"))
"""What a run puts around items is recorded apart."""


def fingerprint(items: Sequence[Item]) -> str:
    """Return the sha256 (hex) of the items' canonical JSON; their order matters."""
    found = hashlib.sha256(b"[")
    for place, item in enumerate(items):
        text = json.dumps(_row(item), ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=asdict)
        found.update(f"{',' * bool(place)}{text}".encode())
    found.update(b"]")
    return found.hexdigest()


def _row(item: Item) -> dict[str, Any]:
    row = {name: value for name in _SHALLOW if (value := getattr(item, name)) is not None or name not in _LATER}
    row["difficulty"] = None if item.difficulty is None else float(item.difficulty)  # 3 and 3.0 are the same difficulty
    row["supplied"] = None if item.supplied is None else asdict(item.supplied)
    if row["supplied"] is not None:
        del row["supplied"]["author"]  # the metadata have it too
        if row["supplied"]["channel"] is None:  # files that were begun before chains had one can go on
            del row["supplied"]["channel"]
    return row
