"""The answer in a chain's record -> its canonical form, in the format that the gold decides.

An answer that is not canonical is read like a model's answer ("\\boxed{15}", "15 pens"). Also finds whether a chain
consists of only an answer.
"""

import re
from typing import Any

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import GoldIs
from cotfaith.schemas.status import Status
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.tasks.golds import gold_label
from cotfaith.workers.tasks.lettered import LABEL
from cotfaith.workers.tasks.values import scalar_text
from cotfaith.workers.text.answers import comparable_text, read_answer
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number

_WRAPPED = re.compile(r"\\(?:boxed|fbox|text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_LEAD = re.compile(
    r"(?:(?:so|thus|therefore|hence),?\s+)?(?:(?:the|my)\s+)?(?:(?:final|correct|right|best|most likely)\s+)*"
    r"(?:answer|option|choice|result)\s*(?:is|:|=)*\s*",
    re.IGNORECASE,
)


def recorded_answer(item: Item, value: Any, choices: Choices, gold_is: GoldIs) -> str | None:
    """Return the canonical answer, or None if ``value`` cannot be read in the item's format."""
    text = canonical_boolean(value) if isinstance(value, bool) else scalar_text(value)
    if text is None or not text.strip():
        return None
    if item.answer_format == "text":
        return comparable_text(text) or None
    if item.answer_format == "choice":
        exact = _label(value if "index" in gold_is else text, choices, gold_is) or _label(text, choices, "auto")
    else:
        exact = canonical_number(value) if item.answer_format == "number" else canonical_boolean(text)
    return exact or _as_model_answer(item, text)


def _label(value: Any, choices: Choices, gold_is: GoldIs) -> str | None:
    try:
        return gold_label(value, choices, gold_is)
    except ValueError:
        return None


def _as_model_answer(item: Item, text: str) -> str | None:
    """Return what the reader of models' answers finds, unless its two readings differ."""
    read = read_answer(item, text, cut=False)
    sure = read.strict is None or read.loose is None or read.strict == read.loose
    return read.value if read.status is Status.OK and sure else None


def is_bare_answer(item: Item, chain: str, answer: str | None) -> bool:
    """Return whether ``chain`` states an answer and nothing else."""
    text = re.sub(r"[*$#`_]", "", _WRAPPED.sub(r"\1", chain)).strip()
    text = comparable_text(_LEAD.sub("", text, count=1) if _LEAD.match(text) else text)
    if not text or text in (item.gold.lower(), answer) or canonical_boolean(text) is not None:
        return True
    number, *unit = text.split()
    if canonical_number(text) is not None or (canonical_number(number) is not None and len(unit) == 1):
        return True
    if item.answer_format != "choice":
        return False
    named = re.sub(r"^[a-z][).:]\s*", "", text)
    return bool(LABEL.fullmatch(text)) or named in [comparable_text(choice) for choice in item.choices]
