"""Few-shot examples of a task: a mapped file of worked examples -> earlier turns of every item's conversation.

In: a task's ``few_shot``, and its items. Out: the items with the file's first k examples, in the file's order. An item
is never among its own examples: if one has its question, and a choice in common with it, the file's next example takes
that one's place. Knows nothing about prompts' layout.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import FewShotSpec, TaskSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.schemas.variants import Turn
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.tasks.adapters.mapped import mapped
from cotfaith.workers.tasks.check import check_items
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.values import columns_of, given, is_missing, text_of
from cotfaith.workers.text.questions import question_text, worked_example, written

FIELDS = ("question", "choices", "gold", "chain")
"""The columns that are read by these names where ``fields`` names no others; choices and chain need not be there."""
_DIGEST = 16  # hex digits


@dataclass(frozen=True)
class Example:
    """A worked example."""

    item: Item
    chain: str | None

    @property
    def turns(self) -> tuple[Turn, Turn]:
        """The user's question and the assistant's reply."""
        return worked_example(question_text(self.item), written(self.item, self.item.gold), self.chain)


def with_examples(spec: TaskSpec, items: Sequence[Item]) -> list[Item]:
    """Return the items with their examples.

    Raises:
        SpecError: the fields are wrong.
        TaskError: the file cannot be read, has too few examples, or their answers have another format.

    """
    few = spec.few_shot
    if few is None:
        return list(items)
    examples = read_examples(spec, few)
    known = sorted({item.answer_format for item in items})
    if other := next((one.item for one in examples if one.item.answer_format not in known), None):
        raise TaskError(
            f"task {spec.name!r}, few_shot: the answers in {few.file} are {other.answer_format}, and those of the "
            f"items {' or '.join(known)}. Use examples of the same kind, or map their choices."
        )
    where = f"task {spec.name!r}, few_shot"
    return [replace(item, examples=_turns(examples_of(where, few, examples, item))) for item in items]


def examples_digest(spec: TaskSpec) -> str:
    """Return a hash of the texts of all the file's examples; the spec has ``few_shot``."""
    assert spec.few_shot is not None, "a task without few_shot has no examples"
    turns = [(one.role, one.text, one.brief) for two in read_examples(spec, spec.few_shot) for one in two.turns]
    return hashlib.sha256(json.dumps(turns, ensure_ascii=True).encode()).hexdigest()[:_DIGEST]


def read_examples(spec: TaskSpec, few: FewShotSpec) -> list[Example]:
    """Return the file's examples, all of them, in its order.

    Raises:
        SpecError: the fields are wrong.
        TaskError: the file or a record cannot be read.

    """
    for ours in few.fields:
        if ours not in FIELDS:
            raise SpecError(f"task {spec.name!r}, few_shot.fields: {unknown('field', ours, FIELDS)}")
    path = local_file(few.file, f"task {spec.name!r}, few_shot")
    records = read_records(path, tuple(few.fields.get(name, name) for name in ("question", "gold")))
    names = columns_of(records)
    fields = {ours: ours for ours in FIELDS if ours in names} | dict(few.fields)
    chain = fields.pop("chain", None)
    if chain is not None and chain not in names:
        raise TaskError(f"{path}: no record has the column {chain!r} (chain). It has {', '.join(names)}.")
    own = TaskSpec(name=f"{spec.name}.few_shot"[:100], file=few.file, fields=fields, gold_is=spec.gold_is)
    items = [replace(one, id=item_id("example", at)) for at, one in enumerate(mapped(own, path, records))]
    check_items(own.name, items)
    has = [chain is not None and not is_missing(given(record, chain, path)) for record in records]
    chains = [text_of(record, chain or "", path, at) if has[at] else None for at, record in enumerate(records)]
    return [Example(item, text) for item, text in zip(items, chains, strict=True)]


def examples_of(where: str, few: FewShotSpec, examples: Sequence[Example], item: Item) -> list[Example]:
    """Return the item's k examples, in order; raise ``TaskError`` that begins with ``where`` if there are fewer."""
    others = [one for one in examples if not _alike(one.item, item)]
    if len(others) < few.k:
        same = "" if len(others) == len(examples) else f", {len(others)} of them other than item {item.id!r} itself"
        raise TaskError(
            f"{where}: k is {few.k}, and {few.file} has {len(examples)} examples{same}. Add examples, or set a smaller "
            "k."
        )
    return others[: few.k]


def _turns(examples: Sequence[Example]) -> tuple[Turn, ...]:
    return tuple(turn for one in examples for turn in one.turns)


def _alike(one: Item, other: Item) -> bool:
    """Return whether two items are the same: their question is, and a choice. In some tasks all questions are alike."""
    if _words(one.question) != _words(other.question):
        return False
    ours, theirs = ({_words(choice) for choice in item.choices} for item in (one, other))
    return not (ours and theirs) or bool(ours & theirs)


def _words(text: str) -> str:
    return " ".join(text.split()).casefold()
