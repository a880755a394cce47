"""Readings that a run's folder holds already, by what they depend on: they are not asked for again.

A reading depends on its reader, the item under its variant, the question, the prompts by their hash, and the text by
its hash. Readings that failed, or that saw a part of the text, are asked for again. Results do not depend on reuse:
readers are greedy.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cotfaith.schemas.answer_row import answer_from_row
from cotfaith.schemas.records import Observation
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.ask import Ask, Held

_KEPT = (Status.OK, Status.UNSUPPORTED)


def held_reading(ask: Ask, row: Observation) -> Observation | None:
    """Return the reading of a row that has its question and hashes, if the folder holds it."""
    item = ask.item
    key = (item.id, item.variant_name, row.question, row.hint_asked, row.condition, row.prompt_hash, row.text_hash)
    found = ask.held.get(key)
    return None if found is None else replace(found, arm=row.arm)


def held_of(rows: Iterable[dict[str, Any]]) -> Held:
    """Return the readings among one reader's rows of a probe."""
    return {_key(row): _observation(row) for row in rows if _is_kept(row)}


def _is_kept(row: dict[str, Any]) -> bool:
    return row["status"] in _KEPT and row["text_hash"] is not None and row["read_share"] is None


def _key(row: dict[str, Any]) -> tuple[str | None, ...]:
    names = ("item_id", "variant", "question", "hint_asked", "condition", "prompt_hash", "text_hash")
    return tuple(row[name] for name in names)


def _observation(row: dict[str, Any]) -> Observation:
    names = ("arm", "condition", "question", "label", "score", "quote", "quote_found", "text_hash", "prompt_hash")
    return Observation(
        answer=answer_from_row(row, row["status"]), **{name: row[name] for name in (*names, "hint_asked")}
    )
