"""A choice that a text says in words, without its label."""

import re

from cotfaith.schemas.records import Item
from cotfaith.workers.text.readers.lexicon import words
from cotfaith.workers.text.readers.numbers import read_number
from cotfaith.workers.text.readers.phrases import comparable

_FILLERS = words(
    "the a an one ones it is it's its that this answer option choice would be must should definitely clearly probably "
    "most likely surely obviously therefore so thus correct right i think believe say in on at to of"
)
_DENIED = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|wrong|incorrect|false|unlike|except|unlikely|impossible|or|than|versus|vs|"
    r"either|instead|opposite)\b|n't\b|\?",
    re.IGNORECASE,
)
_BECAUSE = re.compile(r"\b(?:because|since|as)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"\b(?:which|who|where)\b|[.;]\s|,|—|\(", re.IGNORECASE)
_COPULA = re.compile(r"\b(?:is|was|be|are|were)(?: the| a| an)? $")


def spoken_choice(item: Item, text: str, refused: bool) -> str | None:
    """Return the label of the one choice that ``text`` says; None if it says none, several, or denies it.

    A text that gives no answer (``refused``) says a choice only if the refusal is that choice ("none of these").
    """
    texts = [comparable(choice) for choice in item.choices]
    whole = {label for label, choice in zip(item.labels, texts, strict=True) if choice == comparable(text)}
    if whole or refused:
        return whole.pop() if len(whole) == 1 else None
    numbers = [read_number(choice).value for choice in item.choices]
    if all(numbers):
        value = read_number(text).value
        labels = [label for label, number in zip(item.labels, numbers, strict=True) if value and number == value]
        return labels[0] if len(labels) == 1 else None
    return _said_in_first_clause(item, texts, text)


def _said_in_first_clause(item: Item, texts: list[str], text: str) -> str | None:
    said = _without_denied(texts, comparable(_BECAUSE.split(text.strip(), maxsplit=1)[0]))
    places = _places(texts, said)
    if len(places) != 1:
        return None
    (place,) = places
    if _DENIED.search(said.replace(texts[place], "", 1)):
        return None
    first = comparable(_CLAUSE.split(said, maxsplit=1)[0])
    before, found, behind = first.partition(texts[place])
    if not found:
        return None
    opens, ends = before.split() == [] and behind.startswith(" "), not behind and _COPULA.search(before)
    return item.labels[place] if opens or ends or {*before.split(), *behind.split()} <= _FILLERS else None


def _without_denied(texts: list[str], said: str) -> str:
    """Remove "not the dog", so that "the fox, not the dog" says the fox."""
    choices = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    negation = r"\b(?:but |and )?(?:not|rather than|instead of)(?: the| a| an)?"
    denied = re.compile(rf"{negation} (?:{choices})(?!\w),?(?: but)?")
    return denied.sub(lambda m: m[0] if m[0].strip(" ,") in texts else "", said).strip(" ,")


def _places(texts: list[str], said: str) -> set[int]:
    """Return the choices whose texts occur in ``said``; a longer text hides the shorter ones within it."""
    found = set()
    for place in sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True):
        pattern = rf"(?<!\w){re.escape(texts[place])}(?!\w)"
        if texts[place] and re.search(pattern, said):
            found |= {i for i, other in enumerate(texts) if other == texts[place]}
            said = re.sub(pattern, "\N{WHITE SQUARE}", said)
    return found
