"""A table's columns -> ours: those that are mapped, and those that have our names and hold what we mean by them.

Another tool's ``label`` may be a topic, its ``steps`` a number. A column that is not mapped and holds something else is
left out, with a note that shows how to map it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.adapters.chain_items import SETTINGS
from cotfaith.workers.tasks.adapters.chain_steps import list_of
from cotfaith.workers.tasks.values import Record, given, is_missing, scalar_text

OURS = ("id", "question", "cot", "steps", "answer", "gold", "choices", "difficulty", "author")
LABELS = ("label", "setting", "hint", "hint_style", "bottlenecks")
_WORDS = ("faithful", "unfaithful")


def our_columns(path: Path, records: Sequence[Record], fields: Mapping[str, str]) -> tuple[list[Record], list[str]]:
    """Return the records with our columns only, and a note for each that was left out; ``fields``: ours -> theirs."""
    rows = [_renamed(record, fields) for record in records]
    foreign = _foreign(path, rows, fields)
    if "label" not in fields:
        bare = [_without_step_labels(row) for row in rows]
        if bare != rows and "steps" not in foreign:
            foreign["the labels of steps"] = next(
                row["steps"] for row, own in zip(rows, bare, strict=True) if row != own
            )
            rows = bare
    kept = [{name: value for name, value in row.items() if name not in foreign} for row in rows]
    return kept, [_note(path, name, value) for name, value in foreign.items()]


def _note(path: Path, name: str, value: Any) -> str:
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}..."
    way = "--field label=label" if " " in name else f"--field {name}={name}"
    return (
        f"{path}: {name if ' ' in name else f'column {name!r}'} (such as {shown}) is not used: it is not mapped, and "
        f"may mean something other than cotfaith's. If it means the same, add {way}."
    )


def _renamed(record: Record, fields: Mapping[str, str]) -> Record:
    row = {name: _value(record, fields.get(name, name)) for name in (*OURS, *LABELS)}
    return {name: value for name, value in row.items() if value is not None}


def _value(record: Record, name: str) -> Any:
    """Return a column's value; if ``name`` joins several columns by commas, the list of their values."""
    if name in record or "," not in name:
        return record.get(name)
    cells = [record.get(part.strip()) for part in name.split(",")]
    while cells and is_missing(cells[-1]):
        cells.pop()
    return cells


def _foreign(path: Path, rows: Sequence[Record], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return those of our names that are not mapped and hold something else -> an example of it."""
    found: dict[str, Any] = {}
    has_setting = "setting" in fields
    for name in ("id", "choices", "steps", "author", "label", "setting", "hint", "hint_style", "bottlenecks"):
        values = [value for row in rows if (value := given(row, name, path)) is not None]
        if name in fields or not values:
            continue
        odd = next(iter(_odd(name, values, rows, has_setting)), None)
        if odd is not None:
            found[name] = odd
        elif name == "setting":
            has_setting = True
    return found


def _odd(name: str, values: Sequence[Any], rows: Sequence[Record], has_setting: bool) -> Iterator[Any]:
    """Yield the values that are not what cotfaith means by the column."""
    if name in ("id", "author"):
        yield from (value for value in values if scalar_text(value) is None)
    elif name == "choices":
        yield from (value for value in values if isinstance(value, bool | int | float))
    elif name == "steps":
        yield from (value for value in values if not _are_steps(value) and any("cot" in row for row in rows))
    elif name in ("label", "setting"):
        known = _WORDS if name == "label" else SETTINGS
        yield from (value for value in values if value not in known)
    elif not has_setting:
        yield values[0]


def _are_steps(value: Any) -> bool:
    try:
        steps = list_of(value, "steps", "")
    except TaskError:
        return False
    return all(isinstance(step, str) or (isinstance(step, dict) and {"text", "start"} & step.keys()) for step in steps)


def _without_step_labels(row: Record) -> Record:
    """Return the row without its steps' labels, if one of them is not one of our words."""
    steps = row.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return row
    if all(step.get("label") in (None, "", *_WORDS) for step in steps):
        return row
    return row | {"steps": [{name: value for name, value in step.items() if name != "label"} for step in steps]}
