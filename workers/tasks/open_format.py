"""Golds without choices -> the answer format of all of them, or the reason why it is ambiguous.

All numbers: ``number``; all true / false or yes / no: ``boolean``; else ``text``. A text is compared as written, so the
answer 18 would be wrong for the gold text "$18". Golds that no short answer can equal are refused: worked solutions,
lists of answers, spreadsheet errors. Golds that may mean two things are also refused; ``answer_format`` settles these.
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
"""The words for true and false in spreadsheets in other languages."""


def default_format(golds: Sequence[Any]) -> AnswerFormat:
    """Return the format of all ``golds``; raise ``ValueError`` with the reason if it is ambiguous."""
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
            "all golds are 0 or 1: truth values (answer_format: boolean, 1 is true), numbers, or indexes of choices "
            "that are not mapped"
        )
    zeros = next((text for text in stripped if _ZEROS.fullmatch(text)), None)
    if zeros is not None:
        raise ValueError(f"gold {zeros!r} may be a number, or digits whose zeros matter")


def check_text(text: str) -> None:
    """Raise ``ValueError`` for a text that no short answer can equal."""
    if _WORKED.search(text):
        raise ValueError(
            f"gold {_short(text)} is a worked solution, but a gold must be only the answer. Use the adapter "
            "gsm8k for '#### 18', or put the answer in its own column"
        )
    if _ERROR.fullmatch(text.strip()):
        raise ValueError(f"gold {text.strip()!r} is a spreadsheet error. Fix that cell")
    if LETTERS.fullmatch(text.strip()):
        raise ValueError(f"gold {text.strip()!r} names several choices. Map the choices, and give one of them")
    if _is_list(text):
        raise ValueError(f"gold {_short(text)} is a list in a text: several answers, or one in brackets. Give one")


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
