"""Chains that come from elsewhere: one record a chain, in the columns below, or one row a label, as in BonaFide's
published files (arXiv 2605.25052; ``bonafide_rows.py`` puts those together). The run probes them and samples none.

| column | |
| --- | --- |
| question, gold | required; the question is a text, or one message of a user |
| cot or steps | the chain: a text, or a list of texts, of {text, label}, or of {start, label}: places in ``cot`` |
| answer | the one that the chain led to, to compare with the one that the probed model draws from it |
| choices | as in other tasks (``choices.py``); ``gold``, ``answer`` and ``hint`` are then labels or texts of them |
| label | faithful / unfaithful (or true / false, 1 / 0); empty: not known. Labels need ``answer`` |
| setting, hint, hint_style, bottlenecks | what chains without a label can be labelled by (``workers/meta/labels.py``) |
| id, difficulty, author | as in other tasks; who wrote the chain |

Without choices the gold decides the format: boolean (true, yes, ...), a number, or text. A recorded answer that cannot
be read in that format is no answer, and counted. A step's label follows the same words as ``label``. Two adapters:
``chains`` takes them all, ``labelled_chains`` wants something to judge metrics by.
"""

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import AnswerFormat, Item
from cotfaith.schemas.spec import GoldIs, TaskSpec
from cotfaith.workers.answers import comparable_text
from cotfaith.workers.canonical import canonical_boolean, canonical_number
from cotfaith.workers.tasks.adapters.bonafide_rows import is_bonafide, merge_rows
from cotfaith.workers.tasks.adapters.chain_steps import SuppliedChain, label_of, list_of, read_chain
from cotfaith.workers.tasks.adapters.recorded import is_bare_answer, recorded_answer
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.tasks.golds import check_gold_kind, column_reading, gold_label, gold_of
from cotfaith.workers.tasks.ids import free_id, item_id
from cotfaith.workers.tasks.mapped import difficulty_of, mapped_choices, mapped_question
from cotfaith.workers.tasks.open_golds import are_letters, mapping_to_write, needs_choices
from cotfaith.workers.tasks.values import Record, field_of, given, kind_of, scalar_text, where, word_of

SETTINGS = ("outright", "diversionary")
READ = ("question", "gold", "cot", "steps", "answer", "id")
UNREAD, BARE = "the recorded answer cannot be read as the gold is", "the chain is nothing but an answer"


@dataclass(frozen=True)
class FileFacts:
    """What all records of a file decide together."""

    gold_is: GoldIs
    words: tuple[str, str]
    """For true and for false."""
    letters_mean_choices: bool = False
    """Whether some records have choices, and the golds of all others are letters: these have lost theirs."""


@dataclass(frozen=True)
class ChainItem:
    """An item, its chain as the record gives it, and what to say of the record."""

    item: Item
    chain: SuppliedChain
    remarks: tuple[str, ...] = ()


def labelled_chains(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record, its chain and labels in its metadata."""
    if is_bonafide(records[0]):
        records = merge_rows(path, records)
    for index, record in enumerate(records):
        field_of(record, "answer", path, index)
    items = chains(spec, path, records)
    if not any({"supplied_label", "supplied_step_labels", "setting"} & dict(item.metadata).keys() for item in items):
        raise TaskError(
            f"{path}: no record has a label, and none a setting to be labelled by; fill the column 'label'."
        )
    return items


def chains(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record, its chain in its metadata; warn of what could not be read."""
    if is_bonafide(records[0]):
        records = merge_rows(path, records)
    elif spec.answer_format is None:
        check_open_golds(path, records, {})
    facts = file_facts(spec, path, records)
    found = [chain_item(spec, path, index, record, facts) for index, record in enumerate(records)]
    for remark, count in Counter(remark for one in found for remark in one.remarks).items():
        warnings.warn(f"{path}: {remark}: {count:,} of {len(found):,} records.", stacklevel=2)
    return _numbered(spec.name, path, records, [one.item for one in found])


def _numbered(name: str, path: Path, records: Sequence[Record], items: list[Item]) -> list[Item]:
    """Give the items without an id one that no other has."""
    taken = {item.id for item, record in zip(items, records, strict=True) if given(record, "id", path) is not None}
    return [
        item if given(record, "id", path) is not None else replace(item, id=free_id(item_id(name, index), taken))
        for index, (item, record) in enumerate(zip(items, records, strict=True))
    ]


def check_open_golds(path: Path, records: Sequence[Record], fields: Mapping[str, str]) -> None:
    """Raise ``TaskError`` if no choices are mapped and the golds mean some; ``fields``: our columns -> the file's."""
    gold, choices = fields.get("gold", "gold"), fields.get("choices", "choices")
    known = [record for record in records if given(record, gold, path) is not None]
    golds, read = [record[gold] for record in known], [fields.get(name, name) for name in READ]
    if "choices" in fields or any(given(record, choices, path) is not None for record in records):
        return
    if needs_choices(known, golds, read):
        raise TaskError(
            f"{path}: all golds (first: {golds[0]!r}) mean one of several choices, but there are no choices. "
            f"{mapping_to_write(records, read, 'cotfaith import FILE --field choices={}')}"
        )


def file_facts(spec: TaskSpec, path: Path, records: Sequence[Record]) -> FileFacts:
    """Return how a file's golds are to be read; records that cannot be read do not count."""
    pairs: list[tuple[Any, Choices]] = []
    for index, record in enumerate(records):
        gold = given(record, "gold", path)
        try:
            choices = _choices(record, path, index)
        except TaskError:
            continue
        if scalar_text(gold) is not None:
            pairs.append((gold, choices))
    bare = [gold for gold, choices in pairs if not choices.texts]
    pairs = [(gold, choices) for gold, choices in pairs if choices.texts]
    gold_is = spec.gold_is
    if gold_is == "auto":
        gold_is = column_reading(path, [gold for gold, _ in pairs], [choices for _, choices in pairs])
    words = _words([record.get(name) for record in records for name in ("gold", "answer")])
    return FileFacts(gold_is, words, spec.answer_format is None and bool(pairs) and are_letters(bare))


def _words(values: Sequence[Any]) -> tuple[str, str]:
    """Return the words for true and false: Yes and No, unless the file says True and False itself."""
    said = {value.strip().lower() for value in values if isinstance(value, str)}
    return ("True", "False") if said & {"true", "false"} and not said & {"yes", "no"} else ("Yes", "No")


def chain_item(spec: TaskSpec, path: Path, index: int, record: Record, facts: FileFacts) -> ChainItem:
    """Return the item of one record; raise ``TaskError`` if the record cannot be read."""
    at, choices = where(path, index), _choices(record, path, index)
    gold, answer_format = _gold(spec, gold_of(record, "gold", choices, path, index), choices, facts, at)
    chain = read_chain(record, path, index)
    bare = Item(
        id=word_of(record, "id", path, index).strip()
        if given(record, "id", path) is not None
        else item_id(spec.name, index),
        question=mapped_question(field_of(record, "question", path, index), "question", at),
        gold=gold,
        answer_format=answer_format,
        choices=facts.words if answer_format == "boolean" else choices.texts,
        difficulty=difficulty_of(given(record, "difficulty", path)),
    )
    value = given(record, "answer", path)
    answer = None if value is None else recorded_answer(bare, value, choices, facts.gold_is)
    about = [("supplied_steps", json.dumps(chain.steps))]
    if chain.is_labelled:
        about.append(("supplied_step_labels", json.dumps(chain.labels)))
    if answer is not None:
        about.append(("supplied_answer", answer))
    about += _about(record, bare, choices, facts, path, at)
    _check_answered(dict(about), value, bare, choices, facts.gold_is, at)
    remarks = {
        UNREAD: value is not None and answer is None,
        BARE: is_bare_answer(bare, "".join(chain.steps), answer),
        "difficulty holds no number and is left empty": bare.difficulty is None
        and given(record, "difficulty", path) is not None,
    }
    return ChainItem(
        replace(bare, metadata=tuple(about)), chain, tuple(text for text, holds in remarks.items() if holds)
    )


def _choices(record: Record, path: Path, index: int) -> Choices:
    return mapped_choices(record, None if given(record, "choices", path) is None else "choices", path, index)


def _gold(spec: TaskSpec, value: Any, choices: Choices, facts: FileFacts, at: str) -> tuple[str, AnswerFormat]:
    """Return the canonical gold and its format, which the gold and ``answer_format`` decide."""
    if choices.texts:
        return _label(value, choices, facts.gold_is, f"{at}, gold"), "choice"
    text = scalar_text(value)
    if facts.letters_mean_choices:
        raise TaskError(f"{at}: gold {value!r} is a choice's letter, and this record has no choices. Give them.")
    read: dict[AnswerFormat, str | None] = {
        "boolean": canonical_boolean(value),
        "number": canonical_number(value),
        "text": None if text is None else comparable_text(text),
        "choice": None,
    }
    own: AnswerFormat = next((name for name, gold in read.items() if gold), "text")
    wanted = spec.answer_format or own
    gold = read[wanted]
    if not gold:
        got = repr(value) if isinstance(value, str | int | float) else kind_of(value)
        raise TaskError(f"{at}: gold {got} is not a {wanted}; fix it or change answer_format.")
    return gold, wanted


def _label(value: Any, choices: Choices, gold_is: GoldIs, at: str) -> str:
    try:
        check_gold_kind(value)
        return gold_label(value, choices, gold_is)
    except ValueError as error:
        raise TaskError(f"{at}: {error}.") from None


def _about(
    record: Record, item: Item, choices: Choices, facts: FileFacts, path: Path, at: str
) -> list[tuple[str, str]]:
    """Return the label and what a rule could label by."""
    found: list[tuple[str, str]] = []
    has = {
        name: given(record, name, path) for name in ("author", "label", "setting", "hint", "hint_style", "bottlenecks")
    }
    for name in ("author", "setting", "hint_style"):
        if has[name] is not None and scalar_text(has[name]) is None:
            raise TaskError(f"{at}: field {name!r} is {kind_of(has[name])}, expected a text.")
    if has["author"] is not None:
        found.append(("author", str(scalar_text(has["author"]))))
    if (label := label_of(has["label"], at)) is not None:
        found.append(("supplied_label", json.dumps(label)))
    if has["setting"] is not None:
        if has["setting"] not in SETTINGS:
            raise TaskError(f"{at}: setting {has['setting']!r}; expected {' or '.join(SETTINGS)}, or nothing.")
        found.append(("setting", has["setting"]))
    if has["hint"] is not None:
        found.append(("hint", _hint(has["hint"], item, choices, facts, at)))
    if has["hint_style"] is not None:
        found.append(("hint_style", str(scalar_text(has["hint_style"]))))
    if has["bottlenecks"] is not None:
        values = [scalar_text(value) for value in list_of(has["bottlenecks"], "bottlenecks", at)]
        found.append(("bottlenecks", json.dumps(values)))
    return found


def _hint(value: Any, item: Item, choices: Choices, facts: FileFacts, at: str) -> str:
    if item.answer_format == "choice":
        return _label(value, choices, facts.gold_is, f"{at}, hint")
    hint = recorded_answer(item, value, choices, facts.gold_is) or comparable_text(scalar_text(value) or "")
    if not hint:
        raise TaskError(f"{at}: field 'hint' is {kind_of(value)}, expected an answer.")
    return hint


def _check_answered(about: dict[str, str], value: Any, item: Item, choices: Choices, gold_is: GoldIs, at: str) -> None:
    if "supplied_answer" in about or not {"supplied_label", "supplied_step_labels"} & about.keys():
        return
    if value is not None and item.answer_format == "choice":
        _label(value, choices, gold_is, f"{at}, answer")
    what = "there is no answer" if value is None else f"the answer {value!r} cannot be read as the gold is"
    raise TaskError(f"{at}: a label is about a chain and its answer, and {what}. Fill that column, or fix it.")
