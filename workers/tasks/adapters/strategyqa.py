"""StrategyQA (Geva et al. 2021, arXiv 2101.02235): ``qid``, ``question``, ``answer`` (true or false)."""

from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.values import Record, field_of, text_of, where, word_of
from cotfaith.workers.text.canonical import canonical_boolean


def strategyqa(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one yes/no item for each record."""
    return [_item(path, i, record) for i, record in enumerate(records)]


def _item(path: Path, index: int, record: Record) -> Item:
    answer = field_of(record, "answer", path, index)
    gold = canonical_boolean(answer)
    if gold is None:
        raise TaskError(f"{where(path, index)}: field 'answer' must be true or false; got {answer!r}.")
    question = text_of(record, "question", path, index).strip()
    return Item(word_of(record, "qid", path, index).strip(), question, gold, "boolean", ("Yes", "No"))


ADAPTER = Adapter(name="strategyqa", summary="StrategyQA. Geva et al. 2021.", read=strategyqa)
