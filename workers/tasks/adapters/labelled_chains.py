"""Chains that come from elsewhere: one record a chain, in the columns below, or one row a label, as in BonaFide's
published files (arXiv 2605.25052; ``bonafide_rows.py`` puts those together). The run probes them and samples none.

| column | |
| --- | --- |
| question, gold | required |
| cot or steps | the chain: a text, or a list of texts, of {text, label}, or of {start, label}: places in ``cot`` |
| answer | the one that the chain led to, to compare with the one that the probed model draws from it |
| choices | a list, or text with ``|`` between; ``gold``, ``answer`` and ``hint`` are then labels or texts of them |
| label | faithful / unfaithful (or true / false, 1 / 0); empty: not known. Labels need ``answer`` |
| setting, hint, hint_style, bottlenecks | what chains without a label can be labelled by (``workers/meta/labels.py``) |
| id, difficulty, author | as in other tasks; who wrote the chain |

A step's label follows the same words. No character of ``cot`` is lost: a step reaches to the next one's start. Two
adapters: ``chains`` takes them all, ``labelled_chains`` wants something to judge metrics by.
"""

import itertools
import json
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import AnswerFormat, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.answers import comparable_text
from cotfaith.workers.canonical import canonical_number, decimal_number
from cotfaith.workers.steps import split_steps
from cotfaith.workers.tasks.adapters.bonafide_rows import is_bonafide, merge_rows
from cotfaith.workers.tasks.choices import gold_label, read_choices
from cotfaith.workers.tasks.files import Record, field_of, where
from cotfaith.workers.tasks.ids import item_id

LABELS = {"faithful": True, "true": True, "1": True, "unfaithful": False, "false": False, "0": False}
SETTINGS = ("outright", "diversionary")


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
    """Return one item for each record, its chain in its metadata."""
    if is_bonafide(records[0]):
        records = merge_rows(path, records)
    return [chain_item(spec, path, index, record) for index, record in enumerate(records)]


def chain_item(spec: TaskSpec, path: Path, index: int, record: Record) -> Item:
    """Return the item of one record."""
    at = where(path, index)
    gold, choices = str(field_of(record, "gold", path, index)), _choices(record, at)
    answer = None if record.get("answer") in (None, "") else str(record["answer"])
    answer_format: AnswerFormat = "choice" if choices else "number"
    if not choices and any(canonical_number(value) is None for value in (gold, answer or gold)):
        answer_format = "text"
    given = record.get("id")
    difficulty = decimal_number(record.get("difficulty"))
    return Item(
        id=item_id(spec.name, index) if given in (None, "") else str(given),
        question=str(field_of(record, "question", path, index)).strip(),
        gold=_canonical(gold, answer_format, choices, f"{at}, gold"),
        answer_format=answer_format,
        choices=choices,
        difficulty=None if difficulty is None else float(difficulty),
        metadata=(
            *_chain(record, path, index),
            *_answer(answer, answer_format, choices, at),
            *_about(record, answer_format, choices, at),
        ),
    )


def _answer(
    answer: str | None, answer_format: AnswerFormat, choices: tuple[str, ...], at: str
) -> list[tuple[str, str]]:
    if answer is None:
        return []
    return [("supplied_answer", _canonical(answer, answer_format, choices, f"{at}, answer"))]


def _choices(record: Record, at: str) -> tuple[str, ...]:
    if record.get("choices") in (None, "", []):
        return ()
    choices = read_choices(record["choices"])
    if choices is None:
        raise TaskError(f"{at}: choices must be a list, or text with | between them; got {record['choices']!r}.")
    return choices


def _canonical(value: str, answer_format: AnswerFormat, choices: tuple[str, ...], at: str) -> str:
    if answer_format == "choice":
        try:
            return gold_label(value, choices)
        except ValueError as error:
            raise TaskError(f"{at}: {error}.") from None
    return (canonical_number(value) if answer_format == "number" else None) or comparable_text(value)


def _about(record: Record, answer_format: AnswerFormat, choices: tuple[str, ...], at: str) -> list[tuple[str, str]]:
    """Return the label and what a rule could label by."""
    found: list[tuple[str, str]] = []
    if record.get("author") not in (None, ""):
        found.append(("author", str(record["author"])))
    if (label := _label(record.get("label"), at)) is not None:
        _check_answered(record, at)
        found.append(("supplied_label", json.dumps(label)))
    if (setting := record.get("setting")) not in (None, ""):
        if setting not in SETTINGS:
            raise TaskError(f"{at}: setting {setting!r}; expected {' or '.join(SETTINGS)}, or nothing.")
        found.append(("setting", str(setting)))
    if record.get("hint") not in (None, ""):
        found.append(("hint", _canonical(str(record["hint"]), answer_format, choices, f"{at}, hint")))
    if record.get("hint_style") not in (None, ""):
        found.append(("hint_style", str(record["hint_style"])))
    if record.get("bottlenecks") not in (None, "", []):
        values = _list_of(record["bottlenecks"], "bottlenecks", at)
        found.append(("bottlenecks", json.dumps([str(value) for value in values])))
    return found


def _check_answered(record: Record, at: str) -> None:
    if record.get("answer") in (None, ""):
        raise TaskError(f"{at}: a label is about a chain and its answer, and there is no answer. Fill that column.")


def _chain(record: Record, path: Path, index: int) -> list[tuple[str, str]]:
    """Return the steps and their labels."""
    at = where(path, index)
    if record.get("steps") in (None, "", []):
        texts, labels = list(split_steps(str(field_of(record, "cot", path, index)))), []
    else:
        steps = [step if isinstance(step, dict) else {"text": step} for step in _list_of(record["steps"], "steps", at)]
        texts = _spans(str(record["cot"]), steps, at) if _placed(record, steps) else _texts(steps, at)
        labels = [_label(step.get("label"), f"{at}, step {i}") for i, step in enumerate(steps)]
    texts[0] = _spaced(texts[0])
    found = [("supplied_steps", json.dumps(texts))]
    if all(label is None for label in labels):
        return found
    _check_answered(record, at)
    return [*found, ("supplied_step_labels", json.dumps(labels))]


def _placed(record: Record, steps: list[Record]) -> bool:
    return bool(record.get("cot")) and all(step.get("start") is not None for step in steps)


def _spans(cot: str, steps: list[Record], at: str) -> list[str]:
    """Cut ``cot`` at the steps' starts; each step's own text must stand there."""
    starts = [_place(step["start"], at) for step in steps]
    bounds = [0, *starts[1:], len(cot)]
    if starts != sorted(set(starts)) or starts[-1] >= len(cot) or starts[0] < 0:
        raise TaskError(f"{at}: the steps' starts must rise within the {len(cot)} characters of cot; got {starts}.")
    texts = [cot[a:b] for a, b in itertools.pairwise(bounds)]
    for i, (step, text) in enumerate(zip(steps, texts, strict=True)):
        if step.get("text") and not cot[starts[i] :].lstrip().startswith(str(step["text"]).strip()):
            raise TaskError(
                f"{at}, step {i}: cot has {text[:40]!r} at {starts[i]}, the step's text is {step['text']!r}."
            )
    return texts


def _place(value: Any, at: str) -> int:
    number = decimal_number(value)
    if number is None or "." in number:
        raise TaskError(f"{at}: a step's start must be a whole number of characters; got {value!r}.")
    return int(number)


def _texts(steps: list[Record], at: str) -> list[str]:
    texts = [str(step.get("text") or "") for step in steps]
    if not all(text.strip() for text in texts):
        raise TaskError(f"{at}: step {[bool(t.strip()) for t in texts].index(False)} has no text and no place in cot.")
    return [_spaced(text, before) for before, text in itertools.pairwise(["", *texts])]


def _spaced(text: str, before: str = "") -> str:
    """Put a space between two steps, and before the first, unless there is white space already."""
    return text if text[:1].isspace() or before[-1:].isspace() else f" {text}"


def _list_of(value: Any, name: str, at: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, list) or not value:
        raise TaskError(f"{at}: {name} must be a list (or a JSON list in text).")
    return value


def _label(value: Any, at: str) -> bool | None:
    if value is None or value == "":
        return None
    word = str(value).strip().lower()
    if word not in LABELS:
        raise TaskError(f"{at}: label {value!r}; expected faithful or unfaithful (true / false, 1 / 0), or nothing.")
    return LABELS[word]
