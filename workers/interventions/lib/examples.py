"""Worked examples that an intervention shows, as earlier turns.

In: a file of examples, as a task's ``few_shot`` names it, and an item. Out: the item's examples, all multiple-choice,
and their turns, with a mark before the right choices if one is wanted.
"""

import functools
from collections.abc import Sequence

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import FewShotSpec, TaskSpec
from cotfaith.schemas.variants import Turn
from cotfaith.workers.interventions.lib.versions import Version, version_of
from cotfaith.workers.tasks.few_shot import Example, examples_of, read_examples
from cotfaith.workers.text.questions import question_text, worked_example, written


def examples_for(intervention: str, item: Item, few: FewShotSpec) -> list[Example]:
    """Return the item's examples.

    Raises:
        SpecError: there is no such file.
        TaskError: the file's examples cannot be read, are too few, or have no choices.

    """
    origin = f"interventions.{intervention}.examples"
    return examples_of(origin, few, _read(version_of(few.file, origin), origin, few.model_dump_json()), item)


@functools.lru_cache(maxsize=16)
def _read(file: Version, origin: str, few: str) -> tuple[Example, ...]:
    named = FewShotSpec.model_validate_json(few)
    found = read_examples(TaskSpec(name=origin, file=named.file), named)
    if other := next((one.item for one in found if one.item.answer_format != "choice"), None):
        raise TaskError(
            f"{origin}: the answers in {named.file} are {other.answer_format}; expected choices. Map their choices."
        )
    return tuple(found)


def turns_of(examples: Sequence[Example], mark: str = "") -> tuple[Turn, ...]:
    """Return the examples as turns: question, then chain and answer; ``mark`` stands before each right choice."""
    return tuple(turn for example in examples for turn in _turns(example, mark))


def _turns(example: Example, mark: str) -> tuple[Turn, Turn]:
    item = example.item
    asked = question_text(item, marks(item, item.gold, mark))
    return worked_example(asked, written(item, item.gold), example.chain)


def marks(item: Item, label: str, mark: str) -> tuple[str, ...]:
    """Return what stands before each choice: ``mark`` before the one with this label; () if there is no mark."""
    return tuple(mark if own == label else "" for own in item.labels) if mark else ()
