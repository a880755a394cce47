"""AQuA-RAT (Ling et al. 2017, arXiv 1705.04146): ``question``, ``options`` ("A)32400", ...), ``correct`` ("A").

One published record has its labels twice ("A)A)59"): both are removed.
"""

import re
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.values import Record, field_of, text_of, texts_of, where

OPTION = re.compile(r"\(?([A-Z])\)\s*(?:\1\)\s*)?(.*)", re.DOTALL)


def aqua(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one choice item for each record, with the labels removed from the options."""
    return [_item(spec, path, i, record) for i, record in enumerate(records)]


def _item(spec: TaskSpec, path: Path, index: int, record: Record) -> Item:
    question = text_of(record, "question", path, index).strip()
    choices = _choices(field_of(record, "options", path, index), where(path, index))
    gold = text_of(record, "correct", path, index).strip()
    if gold not in CHOICE_LABELS[: len(choices)]:
        raise TaskError(f"{where(path, index)}: field 'correct' is {gold!r}, no label of its {len(choices)} options.")
    return Item(item_id(spec.name, index), question, gold, "choice", choices)


def _choices(options: object, at: str) -> tuple[str, ...]:
    matched = [OPTION.fullmatch(option.strip()) for option in texts_of(options) or []]
    labels = "".join(m[1] for m in matched if m)
    if not matched or None in matched or labels != CHOICE_LABELS[: len(matched)]:
        raise TaskError(f"{at}: field 'options' must be a list 'A)...', 'B)...' in order; got {options!r}.")
    return tuple(m[2].strip() for m in matched if m)


ADAPTER = Adapter(name="aqua", summary="AQuA-RAT. Ling et al. 2017.", read=aqua)
