"""A request in a probe's terms: what to send to which engine, and how to read the reply.

Knows nothing about items, templates or callers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import EmbedRequest, GenerateRequest, ScoreRequest
from cotfaith.workers.text.codec import Codec


@dataclass(frozen=True)
class Request:
    """One question to an engine, and how to read the reply."""

    payload: GenerateRequest | ScoreRequest | EmbedRequest
    interpret: Callable[[Any], Any]
    """Engine's result -> what the probe receives."""
    failed: Callable[[Status, str], Any]
    """(status, error) -> what the probe receives when there is no result."""
    role: str = "subject"
    shared: bool = False
    """Whether requests of one round with the same payload are sent once: their replies are the same."""

    def then(self, change: Callable[[Any], Any]) -> "Request":
        """Return the request whose probe receives ``change`` of what it would receive, also if there is no result."""
        return replace(
            self,
            interpret=lambda result: change(self.interpret(result)),
            failed=lambda status, error: change(self.failed(status, error)),
        )


def score_request(codec: Codec, prompt: str, words: Sequence[str]) -> ScoreRequest:
    """Return the request for the log-probability of each word after ``prompt``; each text is tokenised whole."""
    alone, *wholes = codec.encode_all([prompt, *(prompt + word for word in words)])
    shared = _common_length([alone, *wholes])
    # A word that merges with the prompt's last token leaves nothing after the prompt: step back, for all words.
    shared = min(shared, min(len(whole) for whole in wholes) - 1)
    return ScoreRequest(wholes[0][:shared], tuple(whole[shared:] for whole in wholes))


def _common_length(sequences: list[tuple[int, ...]]) -> int:
    first, last = min(sequences), max(sequences)  # in the order of tuples: what these two share, all share
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
