"""A yes/no question to a reader, through any engine.

By the log-probabilities of yes and no where the engine gives them; else a short reply, which a server that can is made
to choose from the two words. A reply in prose, a refusal and a tie are failures, never "no".
"""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotfaith.schemas.records import Answer
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.precision import FLOAT32_RESOLUTION
from cotfaith.workers.engines.protocol import GenerateRequest, Generation, Scores
from cotfaith.workers.readings.put import Part, Put, asked
from cotfaith.workers.readings.reply import read_yes_no
from cotfaith.workers.shard.ask import Ask
from cotfaith.workers.shard.request import Request, score_request
from cotfaith.workers.text.answers import scored_answer
from cotfaith.workers.text.codec import uses_chat

YES_NO = ("yes", "no")
_WORDS = ("yes", "Yes", "no", "No")
_SMALLEST_MASS = 0.01
"""If yes and no together are less likely than this, the reader would write something else."""
_NEW_TOKENS = 24


@dataclass(frozen=True)
class Said:
    """What a reader says."""

    answer: Answer
    """Its status; the reply's text, or the log-probabilities of yes and no in nats."""
    label: bool | None = None
    """Null unless the status is ok."""
    score: float | None = None
    """p(yes) of yes and no, 0 to 1; null without log-probabilities."""
    read_share: float | None = None
    """The share of the chain that the reader saw; null: all of it."""


def ask_yes_no(ask: Ask, put: Put) -> Generator[list[Request], list[Any], Said]:
    """Ask the reader, to which ``ask`` belongs; use with ``yield from``."""

    def request(part: Part) -> Request:
        return _scored(ask, part) if scores(ask) else _generated(ask, part)

    return (yield from asked(ask, put, _NEW_TOKENS, request, lambda said: said.answer.status))


def scores(ask: Ask) -> bool:
    """Return whether the reader's engine gives log-probabilities."""
    return ask.can is not None and ask.can.score and not ask.codec.whole_turns


def stops(ask: Ask) -> tuple[str, ...]:
    """Return the texts that end a reader's reply, besides its own end of sequence."""
    return ask.templates.turn_stops if uses_chat(ask.templates.model, ask.codec) else ("\n",)


def _scored(ask: Ask, part: Part) -> Request:
    space = "" if uses_chat(ask.templates.model, ask.codec) else " "
    payload = score_request(ask.codec, part.text, [space + word for word in _WORDS])
    count = len(payload.prompt)
    return Request(
        payload,
        lambda logprobs: _weighed(logprobs, count, part),
        lambda status, error: Said(Answer(status, error=error, prompt_tokens=count)),
        shared=True,
    )


def _weighed(logprobs: Sequence[float], prompt_tokens: int, part: Part) -> Said:
    """Return the likelier word; each is as likely as its spellings together."""
    both = Scores((_total(logprobs[:2]), _total(logprobs[2:])), getattr(logprobs, "resolution", FLOAT32_RESOLUTION))
    answer = replace(scored_answer(YES_NO, both), prompt_tokens=prompt_tokens)
    if answer.status is not Status.OK:
        return Said(answer)
    mass = math.exp(_total(both))
    if mass < _SMALLEST_MASS or answer.tied:
        why = (
            "The reader finds yes and no equally likely."
            if answer.tied
            else f"The reader would write something else: yes and no have {mass:.2%} of its probability together."
        )
        return Said(replace(answer, status=Status.UNPARSED, value=None, tied=None, gap=None, near_tie=None, error=why))
    score = 1 / (1 + math.exp(min(both[1] - both[0], 700)))
    return Said(answer, answer.value == "yes", score, part.read_share)


def _total(logprobs: Sequence[float]) -> float:
    """Return the logarithm of the sum of probabilities."""
    top = max(logprobs)
    return top if not math.isfinite(top) else top + math.log(sum(math.exp(one - top) for one in logprobs))


def _generated(ask: Ask, part: Part) -> Request:
    payload = GenerateRequest(ask.codec.encode(part.text), _NEW_TOKENS, 0.0, 1.0, 0, stops(ask), one_of=YES_NO)
    return Request(
        payload,
        lambda generation: _read(ask, payload, generation, part),
        lambda status, error: Said(Answer(status, error=error)),
        shared=True,
    )


def _read(ask: Ask, payload: GenerateRequest, generation: Generation, part: Part) -> Said:
    told = generation.told
    count = told.prompt_tokens if ask.codec.whole_turns else len(payload.prompt)
    text = ask.codec.continuation(payload.prompt, generation.tokens)
    if told.status is not Status.OK:
        return Said(Answer(told.status, text=text or None, error=told.error, prompt_tokens=count))
    read = read_yes_no(text, generation.finish_reason == "length")
    value = None if read.label is None else YES_NO[not read.label]
    answer = Answer(read.status, value=value, text=text, error=read.error, prompt_tokens=count)
    return Said(answer, read.label, None, part.read_share if read.status is Status.OK else None)
