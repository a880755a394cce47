"""A prompt put before a reader: its places filled, the text that is read fenced, and cut if the window is too small.

In: an ``Ask`` of the reader, a prompt, the texts of its places. Out: a coroutine that asks, and returns the reply with
the share of the text that the reader saw. A text that does not fit is read in part: its begin and its end are kept.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cotfaith.schemas.status import Status
from cotfaith.workers.readings.fence import fenced, shortened
from cotfaith.workers.readings.prompts import CHAIN, Prompt
from cotfaith.workers.shard.ask import Ask
from cotfaith.workers.shard.request import Request
from cotfaith.workers.text.codec import uses_chat
from cotfaith.workers.text.conversation import conversation, user
from cotfaith.workers.text.templates import without_thinking

T = TypeVar("T")
_TRIES = 6
"""Where no window is stated, a text is halved this often at most, less one."""


@dataclass(frozen=True)
class Put:
    """A prompt and the texts of its places."""

    prompt: Prompt
    parts: Mapping[str, str] = field(default_factory=dict)
    """Place -> text, fenced if others wrote it."""
    chain: str | None = None
    """The text that is read, unfenced; null: none."""

    def text(self, ask: Ask, keep: int) -> str:
        """Return the whole prompt of the reader, with ``keep`` characters of the chain."""
        read = {} if self.chain is None else {CHAIN: fenced(shortened(self.chain, keep), CHAIN)}
        return _opening(ask, self.prompt.filled(ask.codec, {**self.parts, **read}))


@dataclass(frozen=True)
class Part:
    """A prompt as it is sent."""

    text: str
    read_share: float | None
    """The share of the chain's characters in it; null: all of it."""


def asked(
    ask: Ask, put: Put, new_tokens: int, request: Callable[[Part], Request], status: Callable[[T], Status]
) -> Generator[list[Request], list[Any], T]:
    """Send ``request`` of the prompt that fits the reader's window; use with ``yield from``.

    ``status`` says what became of a reply. Where the window is not known, a prompt that overflows is sent again with
    half of the text.
    """
    for part in _parts(ask, put, new_tokens):
        (reply,) = yield [request(part)]
        if status(reply) is not Status.CONTEXT_OVERFLOW:
            break
    found: T = reply
    return found


def _parts(ask: Ask, put: Put, new_tokens: int) -> Iterator[Part]:
    whole = len(put.chain or "")
    for keep in _lengths(ask, put, whole, new_tokens):
        yield Part(put.text(ask, keep), None if keep == whole else keep / whole)


def _lengths(ask: Ask, put: Put, whole: int, new_tokens: int) -> Iterator[int]:
    """Yield how many of the chain's characters to show: what fits, or ever fewer if the window is not known."""
    window = None if ask.can is None else ask.can.max_context
    if window is None:
        yield whole
        yield from (keep for n in range(1, _TRIES) if (keep := whole >> n))
        return

    def overflows(keep: int) -> bool:
        return len(ask.codec.encode(put.text(ask, keep))) + new_tokens > window

    yield (bisect_left(range(1, whole), True, key=overflows) or whole) if overflows(whole) else whole


def _opening(ask: Ask, text: str) -> str:
    """Return the prompt up to where the reply begins; a model that thinks is made to reply at once."""
    model, codec = ask.templates.model, ask.codec
    if not uses_chat(model, codec):
        return text
    thinks = model.thinking != "none"
    opening = conversation(codec, model.system, thinks).opened([user(text)])
    return without_thinking(opening) if thinks and not codec.whole_turns else opening
