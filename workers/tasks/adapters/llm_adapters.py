"""OpenBookQA and ARC as LLM-Adapters (Hu et al. 2023, arXiv 2304.01933) publishes them.

    instruction: Please choose the correct answer to the question: <question>

                 Answer1: <text> Answer2: <text> ...

                 Answer format: answer1/answer2/...
    answer:      answer2

The three, four or five choices are parsed from the instruction.
"""

import re
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.values import Record, text_of, where

INSTRUCTION = re.compile(
    r"Please choose the correct answer to the question:(?P<question>.*?)"
    r"\n\nAnswer1:(?P<choices>.*)\n\nAnswer format:(?P<format>[^\n]*)",
    re.DOTALL,
)


def llm_adapters(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one choice item for each record."""
    return [_item(spec, path, i, record) for i, record in enumerate(records)]


def _item(spec: TaskSpec, path: Path, index: int, record: Record) -> Item:
    instruction = text_of(record, "instruction", path, index)
    matched = INSTRUCTION.fullmatch(instruction.strip())
    if matched is None:
        raise TaskError(
            f"{where(path, index)}: field 'instruction' must hold 'Please choose the correct answer to the question:', "
            f"'Answer1:' and 'Answer format:'; got {instruction[:80]!r}..."
        )
    answers = [answer.strip() for answer in matched["format"].split("/")]
    choices = _choices(matched["choices"], answers, where(path, index))
    gold = text_of(record, "answer", path, index).strip()
    if gold not in answers:
        raise TaskError(f"{where(path, index)}: field 'answer' is {gold!r}, not one of {', '.join(answers)}.")
    label = CHOICE_LABELS[answers.index(gold)]
    return Item(item_id(spec.name, index), matched["question"].strip(), label, "choice", choices)


def _choices(text: str, answers: list[str], at: str) -> tuple[str, ...]:
    first, *rest = re.split(r"\sAnswer(\d+):", text)
    numbers = ["1", *rest[::2]]
    if [f"answer{number}" for number in numbers] != answers or len(answers) > len(CHOICE_LABELS):
        raise TaskError(f"{at}: the choices are numbered {', '.join(numbers)}, but the format says {answers}.")
    return tuple(choice.strip() for choice in (first, *rest[1::2]))


ADAPTER = Adapter(
    name="llm_adapters",
    summary="OpenBookQA and ARC, as LLM-Adapters has them. Hu et al. 2023.",
    read=llm_adapters,
)
