"""A reader's answer to a question of a task's form: by log-probabilities of its candidates, else read from its reply.

As the subject's own answers are (``shard.ask``), so that both can be compared. Greedy. Where a prompt can, it opens the
reply; a server that only chats is told the form in the prompt.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from cotfaith.schemas.records import Answer
from cotfaith.workers.readings.put import Part, Put, asked
from cotfaith.workers.readings.yes_no import scores
from cotfaith.workers.shard.ask import Ask
from cotfaith.workers.shard.request import Request

Answered = tuple[Answer, float | None]
"""The answer, and the share of the chain that the reader saw; null: all of it."""


def ask_answer(ask: Ask, put: Put) -> Generator[list[Request], list[Any], Answered]:
    """Ask the reader for an answer to ``ask.item``; use with ``yield from``."""
    ask = ask if scores(ask) else replace(ask, answer_by="generate")
    opening = "" if ask.codec.whole_turns else f" {ask.templates.answer_prefill(ask.item)}"

    def request(part: Part) -> Request:
        one = ask.answer_at(part.text + (opening if part.text[-1:].strip() else opening[1:]))
        return replace(
            one,
            interpret=lambda reply: (one.interpret(reply), part.read_share),
            failed=lambda status, error: (one.failed(status, error), None),
        )

    new_tokens = ask.sampling.answer_max_tokens + len(ask.codec.encode(opening))
    return (yield from asked(ask, put, new_tokens, request, lambda answered: answered[0].status))
