"""Choices, and which of them a file's gold means.

The gold of a multiple-choice record may be
- an integer (not text): the choice's index, from 0;
- text: a label ("B", "(B)", "b", "B)", "B."), or a choice's own text, where case counts only if two choices need it.
A gold that can be read in two ways as different choices (the label of one, the text of another) is an error.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from cotfaith.schemas.records import CHOICE_LABELS

LABEL = re.compile(r"\(?([A-Za-z])[).]?")
SEPARATOR = "|"


def read_choices(value: Any) -> tuple[str, ...] | None:
    """Return the choices of a list, a JSON list in text, or text separated by ``|``; None if it is none of them."""
    if isinstance(value, str):
        value = _split(value)
    if not isinstance(value, list | tuple) or any(not isinstance(v, str | int | float) for v in value):
        return None
    return tuple(str(choice).strip() for choice in value)


def _split(text: str) -> Any:
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            pass  # A first choice may well open with a bracket.
    return text.split(SEPARATOR)


def gold_label(gold: Any, choices: Sequence[str]) -> str:
    """Return the label of the choice that ``gold`` means; raise ``ValueError`` with the reason if it is not one."""
    found = _by_position(gold, len(choices)) | _by_text(str(gold).strip(), choices)
    if isinstance(gold, bool) or not isinstance(gold, int | str) or not found:
        raise ValueError(f"gold {gold!r} is none of the choices {_listed(choices)}: give a label, a text or an index")
    labels = [CHOICE_LABELS[i] for i in sorted(found)]
    if len(labels) > 1:
        raise ValueError(f"gold {gold!r} can mean {' or '.join(labels)} of {_listed(choices)}: give the label")
    return labels[0]


def _by_position(gold: Any, n: int) -> set[int]:
    if isinstance(gold, int):
        return {gold} & set(range(n))
    matched = LABEL.fullmatch(str(gold).strip())
    return {CHOICE_LABELS.index(matched[1].upper())} & set(range(n)) if matched else set()


def _by_text(gold: str, choices: Sequence[str]) -> set[int]:
    exact = {i for i, choice in enumerate(choices) if choice == gold}
    return exact or {i for i, choice in enumerate(choices) if choice.casefold() == gold.casefold()}


def _listed(choices: Sequence[str]) -> str:
    return ", ".join(f"{label}: {choice!r}" for label, choice in zip(CHOICE_LABELS, choices, strict=False))
