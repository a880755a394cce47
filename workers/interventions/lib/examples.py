"""Worked examples for few-shot prompts: which, and as which turns.

In: a file mapped as a task's is, and an item. Out: multiple-choice items, and earlier turns of a conversation. The
examples of an item are the first k of the file, in its order, without the item itself. An item is known by its question
and its choices: in some tasks all questions are the same. An example's chain is optional: it comes with the adapter
``chains``.
"""

import functools
import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec, check_section
from cotfaith.schemas.variants import Turn
from cotfaith.workers.interventions.lib.targets import written
from cotfaith.workers.tasks.load import load_task
from cotfaith.workers.text.questions import question_text, worked_example

_ALL = 1 << 40


def _names_a_file(source: dict[str, Any]) -> dict[str, Any]:
    for key in ("name", "n", "models"):
        if key in source:
            raise ValueError(f"examples take no {key!r}; remove it")
    return source


Source = Annotated[dict[str, Any], AfterValidator(_names_a_file)]
"""Where examples are: the keys of a task that say so, such as {file: examples.csv, fields: {question: q, ...}}."""
K = Annotated[int, Field(ge=1)]
"""A number of examples."""
DEFAULT_K = 5


def examples_for(intervention: str, item: Item, source: Source, k: int) -> tuple[Item, ...]:
    """Return the item's ``k`` examples.

    Raises:
        SpecError: the file cannot be used, holds other than multiple-choice items, or has too few.

    """
    found = _read(intervention, json.dumps(source, sort_keys=True))
    others = [example for example in found if not _alike(example, item)]
    if len(others) < k:
        kept = f"{len(found)} examples, {len(others)} of them other than item {item.id!r}"
        raise SpecError(f"interventions.{intervention}: k is {k}, and there are {kept}. Lower k or add examples.")
    return tuple(others[:k])


@functools.lru_cache(maxsize=16)
def _read(intervention: str, keys: str) -> tuple[Item, ...]:
    origin = f"interventions.{intervention}.examples"
    spec = check_section(TaskSpec, {"name": f"{intervention}-examples", "n": _ALL} | json.loads(keys), origin)
    found = tuple(load_task(spec, 0))
    if other := next((example for example in found if example.answer_format != "choice"), None):
        raise SpecError(
            f"{origin}: expected multiple-choice examples; the answer of {other.id!r} is a {other.answer_format}."
        )
    return found


def _alike(one: Item, other: Item) -> bool:
    return _content(one) == _content(other)


def _content(item: Item) -> tuple[str, list[str]]:
    return " ".join(item.question.split()), sorted(" ".join(choice.split()) for choice in item.choices)


def turns_of(examples: Sequence[Item], mark: str = "") -> tuple[Turn, ...]:
    """Return the examples as turns: question, then chain and answer; ``mark`` stands before each right choice."""
    return tuple(turn for example in examples for turn in _turns(example, marks(example, example.gold, mark)))


def _turns(example: Item, marked: Sequence[str]) -> tuple[Turn, Turn]:
    return worked_example(question_text(example, marked), written(example, example.gold), chain_of(example))


def marks(item: Item, label: str, mark: str) -> tuple[str, ...]:
    """Return what stands before each choice: ``mark`` before the one with this label; () if there is no mark."""
    return tuple(mark if own == label else "" for own in item.labels) if mark else ()


def chain_of(example: Item) -> str | None:
    """Return the example's chain; None if its file gives none."""
    return None if example.supplied is None else "".join(example.supplied.steps)
