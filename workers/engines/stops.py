"""Where a continuation ends: at an end-of-sequence token, before a stop string, or at the limit of tokens.

In: the ids that a backend returned, which may contain the end-of-sequence token and the stop string. Out: a generation
that obeys the engine protocol: its ids add exactly the text before the stop string to the prompt. Knows nothing about
backends.
"""

from collections.abc import Sequence, Set
from typing import Protocol

from cotfaith.workers.engines.protocol import FinishReason, GenerateRequest, Generation


class Text(Protocol):
    """What stop strings need from a tokenizer; see ``joins``."""

    def text_after(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text that ``tokens`` add to ``before``."""
        ...

    def tokens_after(self, before: Sequence[int], text: str) -> list[int] | None:
        """Return tokens that add exactly ``text``; None if there are none."""
        ...


def finish(
    tokens: Sequence[int], request: GenerateRequest, eos: Set[int], reason: FinishReason, joins: Text
) -> Generation:
    """Return the part of ``tokens`` that belongs to the continuation; ``reason`` is the backend's finish reason."""
    end = next((i for i, token in enumerate(tokens) if token in eos), len(tokens))
    kept = list(tokens[:end])
    text = joins.text_after(request.prompt, kept) if request.stop else ""
    start = _stop_start(text, kept, request, joins)
    if start is not None:
        return Generation(tuple(tokens_of(text[:start], kept, request.prompt, joins)), "stop")
    return Generation(tuple(kept), "stop" if end < len(tokens) else reason)


def _stop_start(text: str, tokens: Sequence[int], request: GenerateRequest, joins: Text) -> int | None:
    """Return the start of the first stop string that the first ``min_tokens`` tokens do not complete."""
    deaf = 0
    if request.stop and request.min_tokens:
        # A later token completes a partial character (U+FFFD) at the end of the first tokens.
        deaf = len(joins.text_after(request.prompt, tokens[: request.min_tokens]).rstrip("\ufffd"))
    found = (text.find(stop, max(0, deaf - len(stop) + 1)) for stop in request.stop)
    return min((start for start in found if start >= 0), default=None)


def tokens_of(text: str, tokens: list[int], prompt: Sequence[int], joins: Text) -> list[int]:
    """Return ids for ``text``, a prefix of what ``tokens`` add to the prompt, even if it ends inside a token."""
    n = next(n for n in range(len(tokens), -1, -1) if text.startswith(joins.text_after(prompt, tokens[:n])))
    kept = tokens[:n]
    rest = joins.tokens_after([*prompt, *kept], text[len(joins.text_after(prompt, kept)) :])
    whole = kept + (rest or [])
    return whole if joins.text_after(prompt, whole) == text else kept
