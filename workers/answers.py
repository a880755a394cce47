"""Answers: reading them from generated text, and comparing them.

Two patterns read every text: strict takes an answer that stands where it was asked for, at the very start; loose takes
the last thing in the text that looks like one. Both are recorded; the strict one counts where it reads anything.
Knows nothing about gold answers when it reads.
"""

import math
import re
from collections.abc import Sequence

from cotfaith.schemas.records import Answer, Item
from cotfaith.schemas.status import Status
from cotfaith.workers.canonical import canonical_number
from cotfaith.workers.precision import FLOAT32_RESOLUTION
from cotfaith.workers.ties import decide, ranks

_NUMBER = r"-?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
_STRICT_NUMBER = re.compile(rf"\s*[:=]?\s*[\"'*$£€(\[]*\s*({_NUMBER})(?![\w])")
_LOOSE_NUMBER = re.compile(rf"(?<![\w.])({_NUMBER})(?![\w])")
_STRICT_LABEL = re.compile(r"\s*[\"'*]*\(?([A-Z])\)?(?![A-Za-z'])")
_LOOSE_LABEL = re.compile(r"\(([A-Z])\)|\b([A-Z])\)")


def comparable_text(text: str) -> str:
    """Return ``text`` in lower case, white space folded, without the punctuation around it."""
    return re.sub(r"\s+", " ", text).strip(" \t\n.,;:!?\"'`*()[]").lower()


def canonical_gold(item: Item) -> str:
    """Return the gold answer in the form in which answers are compared."""
    if item.answer_format == "text":
        return comparable_text(item.gold)
    if item.answer_format == "number":
        return canonical_number(item.gold) or item.gold
    return item.gold


def read_answer(item: Item, text: str, cut: bool) -> Answer:
    """Read the answer to ``item`` from generated ``text``; ``cut``: the token limit ended the text.

    A number that ends where the text was cut may have lost digits: that is ``truncated``, not an answer.
    """
    strict, loose = _READERS[item.answer_format](item, text)
    value = strict if strict is not None else loose
    if value is None:
        status = Status.TRUNCATED if cut and not text.strip() else Status.UNPARSED
        return Answer(status, text=text, error="No answer could be read from the text.")
    if cut and item.answer_format == "number" and re.search(r"[\d.,]$", text):
        return Answer(Status.TRUNCATED, strict=strict, loose=loose, text=text, error="The token limit cut the number.")
    return Answer(Status.OK, value=value, strict=strict, loose=loose, text=text)


def scored_answer(candidates: Sequence[str], logprobs: Sequence[float], rank: Sequence[int] | None = None) -> Answer:
    """Return the likeliest candidate; log-probabilities in nats.

    ``rank``: of ``ties.ranks``, which breaks exact ties; null: one drawn from the candidates' own texts.
    """
    if not all(math.isfinite(x) for x in logprobs):
        return Answer(Status.ENGINE_ERROR, error="The engine returned a log-probability that is not finite.")
    decision = decide(logprobs, rank or ranks((), candidates), getattr(logprobs, "resolution", FLOAT32_RESOLUTION))
    return Answer(
        Status.OK,
        value=candidates[decision.place],
        candidates=tuple(candidates),
        logprobs=tuple(logprobs),
        tied=decision.tied,
        gap=decision.gap,
        near_tie=decision.near_tie,
    )


def p_gold(item: Item, answer: Answer) -> float | None:
    """Return the gold answer's probability, normalised over the candidates; None for generated answers."""
    gold = canonical_gold(item)
    if answer.status is not Status.OK or gold not in answer.candidates:
        return None
    top = max(answer.logprobs)
    weights = [math.exp(x - top) for x in answer.logprobs]
    return weights[answer.candidates.index(gold)] / sum(weights)


def is_correct(item: Item, answer: Answer) -> bool | None:
    """Return whether the answer is the gold one; None unless it is ok."""
    return answer.value == canonical_gold(item) if answer.status is Status.OK else None


def same_answer(answer: Answer, reference: Answer | None) -> bool | None:
    """Return whether the two agree; None unless both are ok."""
    if reference is None or answer.status is not Status.OK or reference.status is not Status.OK:
        return None
    return answer.value == reference.value


def _read_number(item: Item, text: str) -> tuple[str | None, str | None]:
    first = _STRICT_NUMBER.match(text)
    every = _LOOSE_NUMBER.findall(text)
    return (
        canonical_number(first.group(1)) if first else None,
        canonical_number(every[-1]) if every else None,
    )


def _read_boolean(item: Item, text: str) -> tuple[str | None, str | None]:
    words = {word.lower(): value for word, value in zip(item.choices, ("true", "false"), strict=True)}
    pattern = "|".join(re.escape(word) for word in words)
    first = re.match(rf"\W*({pattern})\b", text, re.IGNORECASE)
    every = re.findall(rf"\b({pattern})\b", text, re.IGNORECASE)
    return (words[first.group(1).lower()] if first else None, words[every[-1].lower()] if every else None)


def _read_choice(item: Item, text: str) -> tuple[str | None, str | None]:
    first = _STRICT_LABEL.match(text)
    strict = first.group(1) if first and first.group(1) in item.labels else None
    every = [a or b for a, b in _LOOSE_LABEL.findall(text)]
    labels = [label for label in every if label in item.labels]
    return strict, labels[-1] if labels else strict or _label_of_text(item, text)


def _label_of_text(item: Item, text: str) -> str | None:
    """Return the one choice whose words stand in ``text``; None if none or several do."""
    found = [
        label
        for label, choice in zip(item.labels, item.choices, strict=True)
        if re.search(rf"(?<!\w){re.escape(choice.lower())}(?!\w)", text.lower())
    ]
    return found[0] if len(found) == 1 else None


def _read_text(item: Item, text: str) -> tuple[str | None, str | None]:
    lines = text.strip().splitlines()
    strict = comparable_text(lines[0]) if lines else ""
    loose = comparable_text(re.split(r"[.,;:](?:\s|$)|\n", text.strip(), maxsplit=1)[0])
    return strict or None, loose or None


_READERS = {"number": _read_number, "boolean": _read_boolean, "choice": _read_choice, "text": _read_text}
