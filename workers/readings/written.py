"""A short text that a reader writes: a quote, a prediction.

Greedy, so that the same prompt gives the same text. What a server withholds or the limit cuts is a status.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import GenerateRequest, Generation
from cotfaith.workers.readings.put import Part, Put, asked
from cotfaith.workers.readings.yes_no import stops
from cotfaith.workers.shard.ask import Ask
from cotfaith.workers.shard.request import Request


@dataclass(frozen=True)
class Written:
    """A reader's text."""

    status: Status
    text: str = ""
    """Also what there is of it if the limit cut it."""
    error: str | None = None
    read_share: float | None = None


def ask_text(
    ask: Ask, put: Put, max_tokens: int, one_of: tuple[str, ...] = ()
) -> Generator[list[Request], list[Any], Written]:
    """Ask the reader for a text; use with ``yield from``. ``one_of``: as in ``GenerateRequest``."""

    def request(part: Part) -> Request:
        payload = GenerateRequest(ask.codec.encode(part.text), max_tokens, 0.0, 1.0, 0, stops(ask), one_of=one_of)
        return Request(
            payload,
            lambda generation: _written(ask, payload, generation, part),
            lambda status, error: Written(status, error=error),
            shared=True,
        )

    return (yield from asked(ask, put, max_tokens, request, lambda written: written.status))


def _written(ask: Ask, payload: GenerateRequest, generation: Generation, part: Part) -> Written:
    told, text = generation.told, ask.codec.continuation(payload.prompt, generation.tokens)
    if told.status is not Status.OK:
        return Written(told.status, text, told.error)
    if generation.finish_reason == "length":
        return Written(
            Status.TRUNCATED, text, f"The limit of {payload.max_tokens} tokens cut the text.", part.read_share
        )
    return Written(Status.OK, text, None, part.read_share)
