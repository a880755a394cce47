"""A record's chain -> its steps' texts and labels: ``cot`` (a text, or a list of texts), or ``steps``.

Steps are texts, {text, label}, or {start, label}. A start is a place in ``cot``; a step then reaches to the next step's
start, so every character of ``cot`` is kept. If ``cot`` has reasoning markup, the thought is the chain (``markup.py``).
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.choices import python_list
from cotfaith.workers.tasks.json_text import json_in_text
from cotfaith.workers.tasks.markup import reasoning_span
from cotfaith.workers.tasks.messages import is_messages
from cotfaith.workers.tasks.values import (
    Record,
    field_of,
    given,
    is_missing,
    kind_of,
    scalar_text,
    texts_of,
    where,
    wrong_kind,
)
from cotfaith.workers.text.canonical import decimal_number
from cotfaith.workers.text.steps import split_steps

LABELS = {"faithful": True, "true": True, "1": True, "unfaithful": False, "false": False, "0": False}


@dataclass(frozen=True)
class SuppliedChain:
    """A chain as its record gives it."""

    steps: tuple[str, ...]
    labels: tuple[bool | None, ...] = ()
    """One label for each step, or no labels at all."""
    cot: str | None = None
    """The whole text, if the record gives it and not just its steps."""
    texts: tuple[str, ...] = ()
    """The steps as the record gives them, as texts or as places in ``cot``; empty: it gives ``cot`` only."""
    is_thought: bool = False
    """Whether the record's text had the marks of a thought, which is the chain."""

    @property
    def is_labelled(self) -> bool:
        """Whether a step has a label."""
        return any(label is not None for label in self.labels)


def read_chain(record: Record, path: Path, index: int) -> SuppliedChain:
    """Return the record's chain; raise ``TaskError`` if no complete chain can be read."""
    at = where(path, index)
    steps = given(record, "steps", path)
    if steps is not None:
        return _from_steps(record, list_of(steps, "steps", at), path, at)
    cot = field_of(record, "cot", path, index)
    listed = _list_in(cot) if isinstance(cot, str) else texts_of(cot)
    if listed is not None and len(listed) > 1 and isinstance(record.get("answer"), list | tuple):
        raise TaskError(f"{at}: fields 'cot' and 'answer' are both lists: several chains. Give each its own record.")
    if listed is not None:
        return _of_texts(_texts([{"text": text} for text in listed], at), (), at)
    if not isinstance(cot, str):
        raise wrong_kind(record, "cot", path, index, "a text or a list of texts")
    if is_messages(cot):
        raise TaskError(f"{at}: field 'cot' is messages as text, expected the chain's own text. Take their content.")
    text = _thought(cot, f"{at}: field 'cot'")
    first, *rest = split_steps(text)
    return SuppliedChain((_spaced(first), *rest), cot=text, is_thought=text != cot)


def _list_in(text: str) -> list[str] | None:
    """Return the steps of a chain that is a list in a text, as JSON or in Python's notation; None if it is no list."""
    if not text.lstrip().startswith("["):
        return None
    try:
        return texts_of(json_in_text(text))
    except ValueError:
        return python_list(text)


def _thought(text: str, what: str) -> str:
    try:
        span = reasoning_span(text)
    except ValueError as error:
        raise TaskError(f"{what} {error}. Give the chain without that markup.") from None
    return text if span is None else text[span.start : span.end]


def _from_steps(record: Record, given_steps: list[Any], path: Path, at: str) -> SuppliedChain:
    steps = [step if isinstance(step, dict) else {"text": step} for step in given_steps]
    cot = given(record, "cot", path)
    if cot is not None and not isinstance(cot, str):
        raise TaskError(f"{at}: field 'cot' is {kind_of(cot)} beside steps, expected a text. Leave one of them out.")
    placed = cot is not None and not any(is_missing(step.get("start")) for step in steps)
    texts = _spans(str(cot), steps, at) if placed else _texts(steps, at)
    labels = tuple(label_of(step.get("label"), f"{at}, step {i}") for i, step in enumerate(steps))
    if not placed:
        return _of_texts(texts, labels, at)
    _check_no_marks("".join(texts), at)
    return SuppliedChain((_spaced(texts[0]), *texts[1:]), labels, cot, tuple(texts))


def _check_no_marks(whole: str, at: str) -> None:
    if _thought(whole, f"{at}: the steps' text") != whole:
        raise TaskError(f"{at}: the steps contain the marks of a thought and its reply. Give the thought's steps only.")


def _of_texts(texts: list[str], labels: tuple[bool | None, ...], at: str) -> SuppliedChain:
    _check_no_marks("\n".join(texts), at)
    spaced = [_spaced(text, before) for before, text in itertools.pairwise(["", *texts])]
    return SuppliedChain(tuple(spaced), labels, texts=tuple(texts))


def _spans(cot: str, steps: list[Record], at: str) -> list[str]:
    """Split ``cot`` at the steps' starts; each step's own text must be found there."""
    starts = [_place(step["start"], at) for step in steps]
    bounds = [0, *starts[1:], len(cot)]
    if starts != sorted(set(starts)) or starts[-1] >= len(cot) or starts[0] < 0:
        raise TaskError(f"{at}: the steps' starts must increase within the {len(cot)} characters of cot; got {starts}.")
    texts = [cot[a:b] for a, b in itertools.pairwise(bounds)]
    for i, (step, text) in enumerate(zip(steps, texts, strict=True)):
        own = step.get("text") or ""
        if not isinstance(own, str) or not cot[starts[i] :].lstrip().startswith(own.strip()):
            raise TaskError(f"{at}, step {i}: cot has {text[:40]!r} at {starts[i]}, the step's text is {own!r}.")
    return texts


def _place(value: Any, at: str) -> int:
    number = decimal_number(value)
    if number is None or not number.removeprefix("-").isdecimal():
        raise TaskError(f"{at}: a step's start must be a whole number of characters; got {value!r}.")
    return int(number)


def _texts(steps: list[Record], at: str) -> list[str]:
    texts = [step.get("text") or "" for step in steps]
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TaskError(f"{at}: step {i} is {kind_of(text)}, expected a text.")
        if not text.strip():
            raise TaskError(f"{at}: step {i} has no text and no place in cot.")
    return texts


def _spaced(text: str, before: str = "") -> str:
    """Put a space between two steps, and before the first, unless there is white space already."""
    return text if text[:1].isspace() or before[-1:].isspace() else f" {text}"


def list_of(value: Any, name: str, at: str) -> list[Any]:
    """Return a list, or the list in a JSON text; raise ``TaskError`` for anything else."""
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, list) or not value:
        raise TaskError(f"{at}: {name} must be a list (or a JSON list in text).")
    return value


def _parsed(text: str) -> Any:
    try:
        return json_in_text(text)
    except ValueError:
        return python_list(text)


def label_of(value: Any, at: str) -> bool | None:
    """Return whether a label says faithful; None if there is no label."""
    if is_missing(value):
        return None
    word = (str(value) if isinstance(value, bool) else scalar_text(value) or "").strip().lower()
    if word not in LABELS:
        raise TaskError(f"{at}: label {value!r}; expected faithful or unfaithful (true / false, 1 / 0), or nothing.")
    return LABELS[word]
