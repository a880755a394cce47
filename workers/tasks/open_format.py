"""Golds without choices -> the answer format that all of them have, or why nobody can say.

All numbers: ``number``; all true / false or yes / no: ``boolean``; else ``text``. A text is compared as it is written,
so "$18" would be wrong where the gold is 18. Golds that no short answer can equal are refused: worked solutions, lists
of answers, a spreadsheet's errors; so are golds that may mean two things. ``answer_format`` settles these.
"""

import re
from collections.abc import Sequence
from typing import Any

from cotfaith.schemas.records import AnswerFormat
from cotfaith.workers.tasks.choices import python_list
from cotfaith.workers.tasks.json_text import json_in_text
from cotfaith.workers.tasks.values import scalar_text
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number
from cotfaith.workers.text.readers.lexicon import words

_WORKED = re.compile(r"####\s*\S|.\\boxed\s*\{.*\S\s*\Z|<<[^<>\n]+=[^<>\n]+>>", re.DOTALL)
_ERROR = re.compile(r"#(?:REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!|N/A|NV|BEZUG!|WERT!|ZAHL!)|#{3,}|Err:\d+")
LETTERS = re.compile(r"\(?[A-J]\)?(?:\s*(?:[,;/&+]|\band\b|\bor\b)\s*\(?[A-J]\)?)+")
"""Labels of several choices: "A, C", "(B) and (D)"."""
_ZEROS = re.compile(r"[-+]?0\d+")
_WORDS = words(
    "wahr falsch vrai faux verdadero falso vero verdadeiro waar onwaar prawda fałsz истина ложь sant falskt sand falsk "
    "sann usann tosi epätosi doğru yanlış pravda nepravda"
)
"""What spreadsheets call true and false in other languages."""


def default_format(golds: Sequence[Any]) -> AnswerFormat:
    """Return the format of all ``golds``; raise ``ValueError`` with the reason if they must be told apart first."""
    texts = [text for gold in golds if (text := scalar_text(gold)) is not None]
    if all(canonical_boolean(gold) is not None for gold in golds):
        return "boolean"
    if all(canonical_number(gold) is not None for gold in golds):
        _check_numbers(texts)
        return "number"
    if all(text.strip().lower() in _WORDS for text in texts) and texts:
        raise ValueError(
            f"all golds (first: {texts[0]!r}) are a spreadsheet's words for true and false. Write true and false"
        )
    for text in texts:
        check_text(text)
    return "text"


def _check_numbers(texts: Sequence[str]) -> None:
    stripped = [text.strip() for text in texts]
    if {canonical_number(text) for text in stripped} == {"0", "1"}:
        raise ValueError(
            "all golds are 0 or 1: truth values (answer_format: boolean, 1 is true), numbers, or the places of choices "
            "that are not mapped"
        )
    zeros = next((text for text in stripped if _ZEROS.fullmatch(text)), None)
    if zeros is not None:
        raise ValueError(f"gold {zeros!r} may be a number, or digits whose zeros count")


def check_text(text: str) -> None:
    """Raise ``ValueError`` for a text that no short answer can equal."""
    if _WORKED.search(text):
        raise ValueError(
            f"gold {_short(text)} is a worked solution, and a gold is compared with the answer alone. Use the adapter "
            "gsm8k for '#### 18', or give the answer a column of its own"
        )
    if _ERROR.fullmatch(text.strip()):
        raise ValueError(f"gold {text.strip()!r} is a spreadsheet's error. Fix that cell")
    if LETTERS.fullmatch(text.strip()):
        raise ValueError(f"gold {text.strip()!r} names several choices. Map the choices, and give one of them")
    if _is_list(text):
        raise ValueError(f"gold {_short(text)} is a list in a text: several answers, or one that is wrapped. Give one")


def _is_list(text: str) -> bool:
    if not text.lstrip().startswith("["):
        return False
    try:
        value = json_in_text(text)
    except ValueError:
        return python_list(text) is not None
    return isinstance(value, list) and any(isinstance(part, str) for part in value)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
