"""Prefixes of chains -> answers: the subject writes the rest of each, then answers.

Probes that change a chain and let the subject continue share this. A prefix whose rest fails keeps its place, with the
rest's status.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotfaith.schemas.records import Answer, Edit
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.ask import Ask, Continuation, Request, whole


@dataclass(frozen=True)
class Continued:
    """The outcome of one prefix."""

    text: str | None
    """The whole new chain, cut where the limit cut it; None if none was sampled."""
    n_tokens: int | None
    """Sampled."""
    answer: Answer
    seed: int | None = None
    """The seed that it was sampled with; None if none was."""


def continued(ask: Ask, beginnings: Sequence[str]) -> Generator[list[Request], list[Any], list[Continued]]:
    """Sample the rest of each prefix and ask for the answer after it; use with ``yield from``."""
    rests = yield from ask.rests(beginnings)
    texts = [whole(beginning, rest) for beginning, rest in zip(beginnings, rests, strict=True)]
    rests = [_if_any(text, rest) for text, rest in zip(texts, rests, strict=True)]
    finished = [text for text, rest in zip(texts, rests, strict=True) if rest.status is Status.OK]
    answers = iter((yield [ask.answer_with(text) for text in finished]))
    return [
        _finished(text, rest, next(answers)) if rest.status is Status.OK else _unfinished(text, rest)
        for text, rest in zip(texts, rests, strict=True)
    ]


def unedited(edit: Edit) -> Continued:
    """Return the placeholder for a prefix that the editor failed to write."""
    return Continued(None, None, Answer(edit.status, error=edit.error))


def _if_any(text: str, rest: Continuation) -> Continuation:
    """Return ``rest``, with the status of an empty chain if the new chain is blank."""
    if rest.status is not Status.OK or text.strip():
        return rest
    return replace(rest, status=Status.EMPTY_CHAIN, error="The model wrote no chain.")


def _finished(text: str, rest: Continuation, answer: Answer) -> Continued:
    return Continued(text, rest.n_tokens, answer, rest.seed)


def _unfinished(text: str, rest: Continuation) -> Continued:
    answer = Answer(rest.status, error=rest.error)
    return _finished(text, rest, answer) if rest.text else Continued(None, None, answer)
