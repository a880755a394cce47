"""The loss of a text under a model: what checkpoints of several sizes are compared at.

In: an engine, its codec, a text. Out: ``TextLoss``. The text is read in windows that overlap by half, so all tokens
but the first window's have at least half a window of the text before them ("Perplexity of fixed-length models", in the
documentation of transformers).
Nats per byte of UTF-8 are the unit, so that models with different tokenizers can be compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cotfaith.schemas.errors import InputError
from cotfaith.workers.engines.protocol import Engine, ScoreRequest
from cotfaith.workers.text.codec import Codec

WINDOW = 1024
"""Tokens of a window, where the model's own is not shorter."""
LEAST_WINDOW = 16
_AT_ONCE = 16
"""Requests in one call, so that memory is bounded."""


@dataclass(frozen=True)
class TextLoss:
    """How badly a model foretells a text."""

    nats: float
    """-log P of the counted tokens."""
    n_tokens: int
    """The counted tokens: all, but the first if the tokenizer puts none before a text."""
    n_bytes: int
    """Those of the counted tokens' text."""
    window: int
    """Tokens."""

    @property
    def per_byte(self) -> float:
        """Nats per byte."""
        return self.nats / self.n_bytes

    @property
    def per_token(self) -> float:
        """Nats per token: only for models with one tokenizer."""
        return self.nats / self.n_tokens


def text_loss(engine: Engine, codec: Codec, text: str, window: int = WINDOW) -> TextLoss:
    """Return the loss of ``text`` in windows of ``window`` tokens, or the model's own if that is shorter.

    Raises:
        InputError: a token has nothing before it, or the window is shorter than ``LEAST_WINDOW``.
        EngineError: the engine failed.

    """
    longest = engine.capabilities.max_context
    window = window if longest is None else min(window, longest)
    if window < LEAST_WINDOW:
        raise InputError(f"Got a window of {window} tokens, expected at least {LEAST_WINDOW}.")
    tokens, opening = codec.encode(codec.plain(text)), codec.encode("")
    start = max(1, len(opening))
    if len(tokens) <= start:
        raise InputError(f"The text has {len(tokens) - len(opening)} tokens: expected at least two.")
    left_out = "" if opening else codec.continuation((), tokens[:start])
    nats = 0.0
    requests = list(_windows(tokens, opening, start, window))
    for at in range(0, len(requests), _AT_ONCE):
        nats -= sum(score for (score,) in engine.score(requests[at : at + _AT_ONCE]))
    return TextLoss(nats, len(tokens) - start, len(text.encode()) - len(left_out.encode()), window)


def _windows(tokens: Sequence[int], opening: tuple[int, ...], start: int, window: int) -> Iterator[ScoreRequest]:
    """Yield each counted token once, after as much of the text as fits."""
    end = min(window, len(tokens))
    yield ScoreRequest(tuple(tokens[:start]), (tuple(tokens[start:end]),))
    step = window // 2
    before = window - step - len(opening)
    for at in range(end, len(tokens), step):
        yield ScoreRequest((*opening, *tokens[at - before : at]), (tuple(tokens[at : at + step]),))
