"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): ``question``, and ``answer`` that ends in "#### 1,234"."""

from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.values import Record, text_of, where
from cotfaith.workers.text.canonical import canonical_number


def gsm8k(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one number item for each record."""
    return [_item(spec, path, i, record) for i, record in enumerate(records)]


def _item(spec: TaskSpec, path: Path, index: int, record: Record) -> Item:
    question = text_of(record, "question", path, index).strip()
    answer = text_of(record, "answer", path, index)
    _, marker, last = answer.rpartition("####")
    gold = canonical_number(last) if marker else None
    if gold is None:
        raise TaskError(f"{where(path, index)}: field 'answer' must end in '#### <number>'; got {answer[-60:]!r}.")
    return Item(item_id(spec.name, index), question, gold, "number")


ADAPTER = Adapter(name="gsm8k", summary="GSM8K. Cobbe et al. 2021.", read=gsm8k)
