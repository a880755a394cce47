"""A file's value for choices -> the choices' texts, in order, and the file's own labels, if any.

| | |
| --- | --- |
| a list | ["stone", "apple"], [2, 8] |
| text | that list as JSON, a list of texts in Python's notation, or "stone|apple" |
| an object | {"A": "stone", "B": "apple"}; {"text": ["stone", "apple"], "label": ["A", "B"]} (ARC) |
| a list of objects | [{"label": "A", "text": "stone"}, ...]; also id, key and content, value |

Letters within the texts are removed (``lettered.py``). ``golds.py`` finds which choice a gold means.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.workers.tasks.json_text import json_in_text
from cotfaith.workers.tasks.lettered import in_order, read_letters
from cotfaith.workers.tasks.unicode import without_halves
from cotfaith.workers.tasks.values import is_missing, scalar_text

SEPARATOR = "|"
TEXT_KEYS = ("text", "content", "value", "option", "choice", "answer", "body")
LABEL_KEYS = ("label", "id", "key", "letter", "identifier", "index")
EXPECTED = "a list, text with | between them, an object of labels and texts, or a list of such objects"
_KEY = re.compile(r"(?:(?:option|choice|answer|opt)[ _-]?)?\(?([A-Za-z]|\d{1,2})[).:]?", re.IGNORECASE)
_STRING = r"(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
_PYTHON_LIST = re.compile(rf"\[\s*{_STRING}(?:\s*,\s*{_STRING})*\s*,?\s*\]")
_NUMPY_LIST = re.compile(rf"\[\s*{_STRING}(?:\s+{_STRING})+\s*\]")


@dataclass(frozen=True)
class Choices:
    """An item's choices."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """The file's own labels, one for each text; empty if it has none."""


def read_choices(value: Any) -> Choices:
    """Return the choices in ``value``; raise ``ValueError`` if it has none."""
    if isinstance(value, str):
        value = _from_text(value)
    labels, texts = _labels_and_texts(value)
    if len(texts) > len(CHOICE_LABELS):
        raise ValueError(f"{len(texts)} choices; at most {len(CHOICE_LABELS)} are possible")
    brought, bare = read_letters(texts)
    return Choices(bare, labels or brought)


def _from_text(text: str) -> Any:
    if text.lstrip().startswith(("[", "{")):
        try:
            return json_in_text(text)
        except ValueError:
            pass  # The first choice may begin with a bracket.
        if _NUMPY_LIST.fullmatch(text.strip()):
            raise ValueError("choices are an array as numpy prints it, with no commas; write a JSON list")
        if (found := python_list(text)) is not None:
            return found
        if SEPARATOR not in text:
            raise ValueError(f"choices {text[:80]!r} are not JSON")
    parts = text.split(SEPARATOR)
    if _is_balanced(text) and not all(map(_is_balanced, parts)):
        raise ValueError(f"choices {text[:80]!r} have a {SEPARATOR} within brackets; write them as a JSON list")
    return parts


def _is_balanced(text: str) -> bool:
    return sum(map(text.count, "([{")) == sum(map(text.count, ")]}"))


def python_list(text: str) -> list[str] | None:
    """Return the texts of a list of texts in Python's notation; None if ``text`` is anything else."""
    if not _PYTHON_LIST.fullmatch(text.strip()):
        return None
    try:
        return [without_halves(part) for part in ast.literal_eval(text.strip())]
    except (ValueError, SyntaxError):
        return None


def _labels_and_texts(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(value, Mapping):
        return _of_object(dict(value))
    if isinstance(value, list | tuple) and value and all(isinstance(part, Mapping) for part in value):
        return _of_objects([dict(part) for part in value])
    return (), _texts(value)


def _texts(value: Any) -> tuple[str, ...]:
    texts = [scalar_text(part) for part in value] if isinstance(value, list | tuple) else [None]
    if None in texts:
        raise ValueError(f"choices must be {EXPECTED}; got {_short(value)}")
    return tuple(text.strip() for text in texts if text is not None)


def _of_object(value: dict[Any, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = {str(name).lower().removesuffix("s"): name for name in value}
    text_key, label_key = ("text" if "text" in names else "choice"), "label"
    if {text_key, label_key} <= names.keys():
        return _together(value[names[label_key]], value[names[text_key]])
    found = {label: part for label, part in ((_bare(str(name)), part) for name, part in value.items()) if label}
    labels = sorted(found, key=lambda label: (len(label), label))
    while len(labels) > 2 and is_missing(found[labels[-1]]):  # Parquet fills in keys that only other items have
        labels.pop()
    from_0 = [str(number) for number in range(len(labels))]
    if len(found) < len(value) or len(labels) < 2 or not (in_order(labels) or labels == from_0):
        raise ValueError(f"choices must be {EXPECTED}; got an object with the keys {', '.join(map(repr, value))}")
    return tuple(labels), _texts([found[label] for label in labels])


def _bare(name: str) -> str:
    """Return the label in a key ("A", "option_a", "(A)", "1."), or "" if the key is not a label."""
    matched = _KEY.fullmatch(name)
    return matched[1] if matched else ""


def _of_objects(parts: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    merged = {name: text for part in parts for name, text in part.items()}
    if len(merged) == len(parts) and all(len(part) == 1 for part in parts):
        return _of_object(merged)
    text_key = next((key for key in TEXT_KEYS if all(key in part for part in parts)), None)
    label_key = next((key for key in LABEL_KEYS if key != text_key and all(key in part for part in parts)), None)
    if text_key is None:
        raise ValueError(f"choices must be {EXPECTED}; got objects with the keys {', '.join(map(repr, parts[0]))}")
    texts = [part[text_key] for part in parts]
    return _together([part[label_key] for part in parts], texts) if label_key else ((), _texts(texts))


def _together(labels: Any, texts: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    named, written = _texts(labels), _texts(texts)
    if len(named) != len(written) or len(set(named)) != len(named):
        raise ValueError(f"choices have {len(written)} texts and the labels {', '.join(named)}: one each is needed")
    return named, written


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
