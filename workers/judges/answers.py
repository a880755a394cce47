"""The answers of an item that a sentence names: labels, numbers, and the choices' own words.

In: an item, a sentence in plain form. Out: where each answer is named. A capital "A" or "I" is a label only where it
cannot be a word of the sentence. Choices that prose is full of ("yes", "no") count in quotes or after "answer is" only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cotfaith.schemas.records import Item
from cotfaith.workers.judges.sentences import plain
from cotfaith.workers.text.canonical import canonical_number

_KEYED = r"(?:answer|option|choice|letter|label|key|field|tag)s?(?: (?:is|was|be|as|of|says|reads))?:? ?"
_BARE_END = r"(?=\s*(?:[).,;:!?\"'\]]|$)|\s+(?:is|was|as|because|since|and|so|or|but|here|too|rather|instead|for)\b)"
_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w)")
_SHORT = 4  # letters: shorter choices must be in quotes, or after "answer is"


@dataclass(frozen=True)
class Named:
    """An answer that a sentence names."""

    start: int
    end: int
    answer: str
    """Canonical."""


def named_answers(item: Item, text: str) -> list[Named]:
    """Return the answers that ``text`` names, in its order."""
    return sorted({*_labels(item, text), *_numbers(item, text), *_words(item, text)}, key=lambda one: one.start)


def _labels(item: Item, text: str) -> Iterator[Named]:
    for label in item.labels:
        end = _BARE_END if label in "AI" else r"(?![\w'])"
        pattern = (
            rf"\({label}\)|(?<![\w'(]){label}\)|(?i:\b{_KEYED})[\"(]?(?P<keyed>{label})\b|"
            rf"(?<![\w'(]){label}{end}"
        )
        for found in re.finditer(pattern, text):
            yield Named(*found.span("keyed" if found["keyed"] else 0), label)


def _numbers(item: Item, text: str) -> Iterator[Named]:
    if item.answer_format == "number":
        for found in _NUMBER.finditer(text):
            yield Named(*found.span(), canonical_number(found.group()) or found.group())


def _words(item: Item, text: str) -> Iterator[Named]:
    for answer, words in _written(item):
        said = plain(words).strip(" .")
        if said:
            opening = "" if (len(said) >= _SHORT and " " in said) or len(said) > _SHORT else r"(?:answer is |[\"'(])"
            pattern = rf"{opening}(?<!\w){re.escape(said)}(?!\w)"
            yield from (Named(*found.span(), answer) for found in re.finditer(pattern, text, re.IGNORECASE))


def _written(item: Item) -> Iterator[tuple[str, str]]:
    if item.answer_format == "choice":
        yield from zip(item.labels, item.choices, strict=True)
    elif item.answer_format == "boolean":
        yield from zip(("true", "false"), item.choices, strict=False)
    elif item.answer_format == "text" and item.variant is not None and item.variant.target is not None:
        yield item.variant.target, item.variant.target
