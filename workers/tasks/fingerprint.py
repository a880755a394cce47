"""A digest of a list of items, so that a resumed run can check that its items are the same."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from cotfaith.schemas.records import Item

_LATER = ("unknown", "stereotype")
"""Fields that count where they are set: runs that were begun before items had them can go on."""


def fingerprint(items: Sequence[Item]) -> str:
    """Return the sha256 (hex) of the items' canonical JSON; their order matters."""
    rows = [_row(item) for item in items]
    text = json.dumps(rows, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _row(item: Item) -> dict[str, object]:
    row = {name: value for name, value in asdict(item).items() if name not in _LATER or value is not None}
    del row["variant"], row["examples"]  # what a run puts around items is recorded apart
    row["difficulty"] = None if item.difficulty is None else float(item.difficulty)  # 3 and 3.0 are the same difficulty
    if row["supplied"] is not None:
        del row["supplied"]["author"]  # the metadata have it too
        if row["supplied"]["channel"] is None:  # files that were begun before chains had one can go on
            del row["supplied"]["channel"]
    return row
