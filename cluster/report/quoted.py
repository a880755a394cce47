"""The pieces of a chain's text: words that a judge quotes, and the first sentence that states an answer.

In: a text, quotes from it, and an item. Out: pieces in order; together they are the text. Texts are passed on as they
are: the code that prints them must escape them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from cotfaith.schemas.records import CHOICE_LABELS

Marked = tuple[Literal["text", "named", "stated", "same"], str]
"""A piece of a chain: plain text, words that a judge quotes, the first sentence that states the target, or a beginning
that another chain has, too."""
Span = tuple[int, int]


def pieces_of(text: str, spans: Sequence[Span], kind: Literal["named", "stated"]) -> list[Marked]:
    """Return the text with the spans as pieces of their kind; spans may overlap."""
    found: list[Marked] = []
    at = 0
    for start, end in _apart(spans):
        found += [("text", text[at:start])] if start > at else []
        found.append((kind, text[start:end]))
        at = end
    return [*found, ("text", text[at:])] if at < len(text) else found


def begins_alike(found: Sequence[Marked], n: int) -> list[Marked]:
    """Return the pieces; of the first ``n`` characters those of plain text are of the kind "same"."""
    made, at = list[Marked](), 0
    for kind, text in found:
        cut = min(max(0, n - at), len(text)) if kind == "text" else 0
        parts: list[Marked] = [("same", text[:cut]), (kind, text[cut:])]
        made += [part for part in parts if part[1]]
        at += len(text)
    return made


def spans_of(text: str, quotes: Iterable[str]) -> list[Span]:
    """Return the first place of each quote that stands in the text."""
    places = ((text.find(quote), len(quote)) for quote in quotes if quote.strip())
    return [(start, start + length) for start, length in places if start >= 0]


def first_stating(text: str, steps: Sequence[str], item: Mapping[str, Any], answer: str) -> tuple[int, Span] | None:
    """Return the number (from 1) and the place of the first step that states the answer; None if none does.

    A step states it by its label in parentheses or after "answer is", or by its choice's words.
    """
    pattern = _stating(item, answer)
    for number, (start, end) in enumerate(_places(text, steps), start=1):
        if pattern.search(text, start, end):
            return number, (start, end)
    return None


def _stating(item: Mapping[str, Any], answer: str) -> re.Pattern[str]:
    choices = item.get("choices") or []
    form, ways = item.get("answer_format"), [rf"\({re.escape(answer)}\)", rf"\banswer is:? \(?{re.escape(answer)}\b"]
    if form == "choice" and answer in CHOICE_LABELS[: len(choices)]:
        words = str(choices[CHOICE_LABELS.index(answer)]).strip()
        ways += [rf"(?i:(?<!\w){re.escape(words)}(?!\w))"] if words else []
    elif form != "boolean":
        ways.append(rf"(?<![\w.]){re.escape(answer)}(?![\w])")
    return re.compile("|".join(ways))


def _places(text: str, steps: Sequence[str]) -> Iterator[Span]:
    """Yield where the steps stand in the text, without the blanks around them; a step that does not is empty."""
    at = 0
    for step in steps:
        own = step.strip()
        start = text.find(own, at)
        if start < 0:
            yield at, at
            continue
        at = start + len(own)
        yield start, at


def _apart(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found
