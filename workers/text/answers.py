"""Answers: how they are read from generated text, and how they are compared.

Every text is read twice. The strict reading takes an answer at the very start, where it was asked for. The loose
reading takes the text's conclusion. Both are recorded. The strict one counts if it finds an answer, unless the text
retracts it or gives another. An answer is never read in part: one that is not fully understood is ``unparsed``
(``workers/text/readers``). Reading does not look at the gold answer.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from cotfaith.schemas.records import Answer, Item
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.precision import FLOAT32_RESOLUTION
from cotfaith.workers.text.canonical import canonical_number
from cotfaith.workers.text.readers.booleans import read_boolean
from cotfaith.workers.text.readers.completions import completions
from cotfaith.workers.text.readers.labels import read_label
from cotfaith.workers.text.readers.numbers import read_number
from cotfaith.workers.text.readers.phrases import comparable as comparable_text
from cotfaith.workers.text.readers.phrases import read_phrase
from cotfaith.workers.text.readers.reading import Reading
from cotfaith.workers.text.ties import decide, ranks

__all__ = [
    "canonical_gold",
    "comparable_text",
    "is_correct",
    "p_gold",
    "read_answer",
    "same_answer",
    "scored_answer",
]

_TURN = re.compile(
    r"(?<!\s)([^\S\n]*)\n\s*+[#*]{0,4} ?(?:human|user|question|q|instruction)(?: \d{1,3})?(?::|\s?\*\*:|:\*\*)|"
    r"<\|(?:im_end|im_start|eot_id|endoftext|end_of_text|end|user)\|>|\[INST\]",
    re.IGNORECASE,
)
"""The start of another speaker's turn, as models imitate it in transcripts; it is sought once in each run of white
space, since a model may write thousands of empty lines. The group: white space that is not of it."""


def canonical_gold(item: Item) -> str:
    """Return the gold answer in the form in which answers are compared."""
    if item.answer_format == "text":
        return comparable_text(item.gold)
    if item.answer_format == "number":
        return canonical_number(item.gold) or item.gold
    return item.gold


def read_answer(item: Item, text: str, cut: bool) -> Answer:
    """Read the answer to ``item`` from generated ``text``; ``cut``: the token limit ended the text.

    An answer at the cut may have lost its end ("12" of "123", "A" of "Apple"): it is ``truncated``. It counts if it
    stays the same however the last piece may continue. If a base model runs on into another turn or question, only the
    text before that is read.
    """
    own = _before_turn(text)
    if own != text and re.search(r"\w", own):
        return replace(read_answer(item, own, cut=False), text=text)
    read = _read(item, text)
    strict, loose = read.strict, read.loose
    if read.value is None:
        status = Status.TRUNCATED if cut and not read.refused else Status.UNPARSED
        return Answer(status, strict=strict, loose=loose, text=text, error=read.error)
    if cut and any(_read(item, whole).value != read.value for whole in completions(text, item.answer_format)):
        error = "The token limit cut the answer, or text that might change it."
        return Answer(Status.TRUNCATED, strict=strict, loose=loose, text=text, error=error)
    return Answer(Status.OK, value=read.value, strict=strict, loose=loose, text=text)


def _before_turn(text: str) -> str:
    """Return the text before another speaker's turn, or all of it."""
    turn = _TURN.search(text)
    return text if turn is None else text[: turn.start() + len(turn[1] or "")]


def scored_answer(candidates: Sequence[str], logprobs: Sequence[float], rank: Sequence[int] | None = None) -> Answer:
    """Return the likeliest candidate; log-probabilities in nats.

    ``rank``: the order from ``ties.ranks``, which breaks exact ties; None: an order drawn from the candidates' texts.
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


def likelihood(name: str, logprob: float) -> Answer:
    """Return how likely a text is, in nats, under its name: an answer that chooses nothing, so it has no value."""
    if not math.isfinite(logprob):
        return Answer(Status.ENGINE_ERROR, error="The engine returned a log-probability that is not finite.")
    return Answer(Status.OK, candidates=(name,), logprobs=(logprob,))


def p_gold(item: Item, answer: Answer) -> float | None:
    """Return the gold answer's probability, normalised over the candidates; None for a generated answer."""
    gold = canonical_gold(item)
    if answer.status is not Status.OK or gold not in answer.candidates:
        return None
    top = max(answer.logprobs)
    weights = [math.exp(x - top) for x in answer.logprobs]
    return weights[answer.candidates.index(gold)] / sum(weights)


def is_correct(item: Item, answer: Answer) -> bool | None:
    """Return whether the answer is the gold answer; None unless its status is ok."""
    return answer.value == canonical_gold(item) if answer.status is Status.OK else None


def same_answer(answer: Answer, reference: Answer | None) -> bool | None:
    """Return whether the two answers agree; None unless both have the status ok, and the first has a value."""
    if reference is None or answer.status is not Status.OK or reference.status is not Status.OK:
        return None
    return None if answer.value is None else answer.value == reference.value


def _read(item: Item, text: str) -> Reading:
    if item.answer_format == "choice":
        return read_label(item, text)
    if item.answer_format == "boolean":
        return read_boolean(item.choices, text)
    return read_number(text) if item.answer_format == "number" else read_phrase(text)
