"""A table's columns -> ours: those that are mapped, and those that have our names and hold what we mean by them.

Another tool's ``label`` may be a topic, its ``steps`` a number. A column that is not mapped and holds something else is
left out, with a note that shows how to map it.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHANNELS
from cotfaith.workers.tasks.adapters.chain_items import ENCRYPTED, SETTINGS
from cotfaith.workers.tasks.adapters.chain_steps import list_of
from cotfaith.workers.tasks.guesses import guessed, listed, questions
from cotfaith.workers.tasks.values import Record, columns_of, given, is_missing, scalar_text

OURS = ("id", "question", "cot", "steps", "answer", "gold", "choices", "difficulty", "author", "channel")
LABELS = ("label", "setting", "hint", "hint_style", "bottlenecks")
NEEDED = (("question",), ("cot", "steps"), ("gold",))
"""What a chain needs: one of each."""
ENDS = ("finish_reason", "stop_reason")
"""Columns that say how a chain ended."""
_WORDS = ("faithful", "unfaithful")
_KNOWN = {"label": _WORDS, "setting": SETTINGS, "channel": (*CHANNELS, ENCRYPTED)}
"""Columns -> the words that they have if they mean what ours do."""


def check_columns(path: Path, names: Sequence[str], fields: Mapping[str, str]) -> None:
    """Raise ``TaskError`` if a column is lacking that every chain needs, with the file's columns and guesses."""
    present = {ours for ours in (*OURS, *LABELS) if ours in fields or (ours in names and ours not in fields.values())}
    lost = [kinds for kinds in NEEDED if present.isdisjoint(kinds)]
    if not lost:
        return
    taken = [part for ours in present for part in _parts(fields.get(ours, ours), names) if ours != "answer"]
    found = guessed({kinds[0]: kinds[0] for kinds in lost}, names, taken)
    options = " ".join(f"--field {shlex.quote(f'{ours}={theirs}')}" for ours, theirs in found.items())
    way = f"{questions(found)} If so, add {options}." if found else "Map it with --field OURS=THEIRS."
    raise TaskError(
        f"{path}: no column is mapped as {', '.join(' or '.join(kinds) for kinds in lost)}. The file has the columns "
        f"{listed(names)}. {way}"
    )


def columns_text(names: Sequence[str], fields: Mapping[str, str], rows: Sequence[Record]) -> str:
    """Return the file's columns for people: those that are read, as what, and the others; ``rows``: what is read."""
    theirs = {ours: fields.get(ours, ours) for ours in columns_of(rows)}
    read = {part: ours for ours, name in theirs.items() for part in _parts(name, names)}
    shown = [name if read[name] == name else f"{name} ({read[name]})" for name in names if name in read]
    rest = [name for name in names if name not in read and name not in ENDS]
    unused = f"; not used: {listed(rest, quoted=False)}" if rest else ""
    return listed(shown, quoted=False) + unused


def _parts(name: str, names: Sequence[str]) -> list[str]:
    return [name] if name in names else [part.strip() for part in name.split(",")]


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
    # A column that is mapped to one field is not also another's.
    elsewhere = {part.strip() for theirs in fields.values() for part in theirs.split(",")} - fields.keys()
    row = {name: _value(record, fields.get(name, name)) for name in (*OURS, *LABELS) if name not in elsewhere}
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
    for name in ("id", "choices", "steps", "author", "channel", *LABELS):
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
    elif name in _KNOWN:
        yield from (value for value in values if value not in _KNOWN[name])
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
