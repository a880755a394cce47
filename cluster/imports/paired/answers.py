"""Golds, targets and predictions of paired records -> canonical answers.

Whole numbers may count choices from 0, from 1, or be texts: nothing in them says which, so the user says it
(``gold_is``). Letters and texts of choices say what they are. A prediction that is none of the possible answers (null,
-1, "", "N/A", out of range) is no answer; that is for the caller to keep.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from cotfaith.cluster.imports.paired.cells import Cells
from cotfaith.cluster.imports.paired.mapping import AnswerFormat, Mapping
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.spec import GoldIs
from cotfaith.workers.tasks.choices import Choices, read_choices
from cotfaith.workers.tasks.golds import gold_label
from cotfaith.workers.tasks.values import is_missing, scalar_text
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number, canonical_text

NO_ANSWER = frozenset({"", "none", "null", "n/a", "na", "nan", "<na>", "#n/a", "-1"})
"""Words, in lower case, with which files say that there is no answer."""
_WHOLE = re.compile(r"-?\d+(?:\.0+)?")
_LETTER = re.compile(r"\(?[A-Za-z][).:]?")


def is_no_answer(value: Any) -> bool:
    """Return whether the value says that there is none."""
    text = scalar_text(value)
    return is_missing(value) or (text is not None and text.strip().lower() in NO_ANSWER)


def choices_of(cells: Cells) -> Choices | None:
    """Return the item's choices, with empty texts if only their number is known; None: neither is known.

    Raises:
        ValueError: the choices, or their number, cannot be read.

    """
    listed, number = cells.values.get("choices"), cells.values.get("n_choices")
    if not is_missing(listed):
        found = read_choices(listed)
        if number is not None and _count(number) != len(found.texts):
            raise ValueError(f"n_choices is {number!r}, and choices has {len(found.texts)}")
        return found
    return None if number is None else Choices(("",) * _count(number))


def _count(value: Any) -> int:
    text = scalar_text(value) or ""
    if not _WHOLE.fullmatch(text.strip()) or not 2 <= float(text) <= len(CHOICE_LABELS):
        raise ValueError(f"n_choices is {value!r}, expected a whole number from 2 to {len(CHOICE_LABELS)}")
    return int(float(text))


@dataclass(frozen=True)
class Answers:
    """How the answers of all records are read."""

    answer_format: AnswerFormat
    gold_is: GoldIs = "auto"

    def read(self, value: Any, choices: Choices | None) -> str | None:
        """Return the canonical answer; None if ``value`` is none of the possible answers."""
        if self.answer_format == "choice":
            return self._label(value, choices or Choices(("",) * len(CHOICE_LABELS)))
        if is_no_answer(value) and not (self.answer_format == "number" and str(scalar_text(value)) == "-1"):
            return None
        if self.answer_format == "boolean":
            return canonical_boolean(value)
        return canonical_number(value) if self.answer_format == "number" else canonical_text(value)

    def listed(self, choices: Choices | None) -> str:
        """Return what to add to a message on an answer that is not possible: how many choices there are."""
        return "" if choices is None else f" of {len(choices.texts)} choices"

    def _label(self, value: Any, choices: Choices) -> str | None:
        """Return the choice's label; None also for a value that means two of them."""
        ways: Sequence[GoldIs] = ("label", "text") if self.gold_is == "auto" else (self.gold_is,)
        if is_missing(value):
            return None
        found = {label for way in ways if (label := _label_as(value, choices, way)) is not None}
        return found.pop() if len(found) == 1 else None


def _label_as(value: Any, choices: Choices, way: GoldIs) -> str | None:
    try:
        return gold_label(value, choices, way)
    except ValueError:
        return None


def how_to_read(cells: Iterable[Cells], mapping: Mapping) -> Answers:
    """Return how answers are read; raise ``SpecError``, with what could be meant, if the mapping does not say."""
    found = list(cells)
    closed = any(not is_missing(one.values.get(name)) for one in found for name in ("choices", "n_choices"))
    form = mapping.answer_format
    if form is not None and form != "choice":
        if closed or mapping.gold_is != "auto":
            raise SpecError(
                f"answer_format {form} is for answers without choices, and the records or gold_is name choices. Use "
                "answer_format choice, or leave out choices, n_choices and gold_is."
            )
        return Answers(form)
    if mapping.gold_is != "auto":
        return Answers("choice", mapping.gold_is)
    values = _known(found, ("gold", "target")) or _known(found, ("prediction",))
    whole, letters = _whole(values), all(_LETTER.fullmatch(str(scalar_text(value)).strip()) for value in values)
    if whole is None and (closed or form == "choice" or letters):
        return Answers("choice")
    raise SpecError(_unsaid(values, whole is not None))


def _known(cells: Iterable[Cells], names: Sequence[str]) -> list[Any]:
    return [one.values[name] for one in cells for name in names if not is_no_answer(one.values.get(name))]


def _whole(values: Iterable[Any]) -> str | None:
    """Return the first whole number among the values."""
    texts = (str(scalar_text(value)).strip() for value in values)
    return next((text for text in texts if _WHOLE.fullmatch(text)), None)


def _unsaid(values: Sequence[Any], are_numbers: bool) -> str:
    shown = ", ".join(sorted({repr(scalar_text(value))[:30] for value in values[:200]})[:8]) or "none"
    ways = ", ".join(way for way in get_args(GoldIs) if way != "auto")
    what = (
        "whole numbers, which may be indexes from 0, from 1, or numbers"
        if are_numbers
        else "neither letters nor choices"
    )
    return (
        f"The golds, targets and predictions (such as {shown}) are {what}. Say what they are: --gold-is index, or "
        f"another of {ways}; or, for answers without choices, --answer-format number, boolean or text."
    )
