"""Golds that need unmapped choices: all of them are letters, or indexes, names or texts of columns that are not mapped.

The question would be asked without its options, and every answer would be wrong. Such a file is refused, with the
mapping to add. If the answers really are single letters, set ``answer_format: text``.
"""

import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any

from cotfaith.workers.tasks.choice_columns import choice_columns, n_choices
from cotfaith.workers.tasks.guesses import listed, written
from cotfaith.workers.tasks.open_format import LETTERS
from cotfaith.workers.tasks.values import Record, columns_of, scalar_text

_LETTER = re.compile(r"(?:(?:option|choice|answer)\s+)?[\s\"'*]*\(?[A-Ja-j]\)?[.):]?[\s\"'*]*", re.IGNORECASE)

_ALL_RIGHT = re.compile(r"ans(?:wer)?s?[\s_.-]*\d+", re.IGNORECASE)


def are_letters(golds: Sequence[Any], bare: bool = False) -> bool:
    """Return whether there are golds, and all are labels of choices; ``bare``: also bare lower-case letters."""
    texts = [gold.strip() for gold in golds if isinstance(gold, str)]
    if not texts or len(texts) < len(golds) or not all(_are_labels(text) for text in texts):
        return False
    return bare or not all(text.islower() and len(text) == 1 for text in texts)


def _are_labels(text: str) -> bool:
    return bool(_LETTER.fullmatch(text) or LETTERS.fullmatch(text))


def needs_choices(records: Sequence[Record], golds: Sequence[Any], mapped: Collection[str]) -> bool:
    """Return whether all golds refer to choices that are not mapped; ``mapped``: the columns that are.

    They are letters or, if there are columns with choices, their indexes, names ("option_a") or texts.
    """
    columns = choice_columns(records, mapped)
    if are_letters(golds, bare=bool(columns)):
        return True
    pairs = [((scalar_text(gold) or "").strip(), record) for gold, record in zip(golds, records, strict=True)]
    if not columns or not pairs:
        return False
    if all(text.isdecimal() and len(text) < 3 and int(text) <= n_choices(record, columns) for text, record in pairs):
        return True
    return len(columns) > 1 and all(_refers(text, record, columns) for text, record in pairs)


def _refers(gold: str, record: Record, columns: Sequence[str]) -> bool:
    """Return whether a gold names a choice, or is its text; columns such as answer1 may all hold right answers."""
    if _are_labels(gold) or gold in columns:
        return True
    texts = [scalar_text(record.get(name)) for name in columns if not _ALL_RIGHT.fullmatch(name)]
    return bool(gold) and gold.casefold() in [text.strip().casefold() for text in texts if text is not None]


def mapping_to_write(records: Sequence[Record], mapped: Collection[str], line: str) -> str:
    """Return the fix as a sentence; ``line``: the setting to add, with ``{}`` in the place of the columns."""
    names, columns = columns_of(records), choice_columns(records, mapped)
    way = f"Map those with the choices: {line.replace('{}', _join(columns, line))}" if columns else _no_columns(line)
    return (
        f"The file has the columns {listed(names)}. {way}. If the answers really are such letters, numbers or texts, "
        "or the question's text has its options, set answer_format: text or number (import: --answer-format)."
    )


def _join(columns: Sequence[str], line: str) -> str:
    return written(columns) if line.startswith("fields") else shlex.quote(",".join(columns))


def _no_columns(line: str) -> str:
    return f"None seems to hold the choices. Add them, or map the column that has them: {line.replace('{}', 'COLUMN')}"
