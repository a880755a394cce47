"""One reply of a chat endpoint -> a generation, with what the server said about it.

In: the JSON that a server sent, which is untrusted, and which channel is wanted. Out: that text as UTF-8 bytes
(``workers/text/turns``), and a status: a reply that a filter withheld, that the model refused, that came with an
unwanted thought, or whose wanted thought is not shown does not count. No other channel stands in for the wanted one.
``thoughts`` finds a reply's thought. Knows nothing about HTTP.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.records import Channel
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.openai.thoughts import Thought, listed, mapped, read_thought, text_of
from cotfaith.workers.engines.protocol import FinishReason, GenerateRequest, Generation, Told

_SHOWN = 200  # letters of a server's words in an error


@dataclass(frozen=True)
class Reply:
    """What one reply holds."""

    content: str
    """The reply itself."""
    thought: Thought
    refusal: str
    reason: Any
    """Why the text ended, in the server's word."""
    prompt_tokens: int | None
    generated_tokens: int | None
    """Those of thought and content."""
    thought_tokens: int | None

    @property
    def thinks(self) -> bool:
        """Whether there was a thought, also one that the server hides."""
        return self.thought.is_there or bool(self.thought_tokens)

    @property
    def hides(self) -> bool:
        """Whether there was a thought that the server does not show whole."""
        return self.thinks and (self.thought.encrypted or not self.thought.text.strip())

    def shown(self, channel: Channel) -> str:
        """Return the text of a channel; "" if the reply lacks it."""
        return {"reasoning": self.thought.text, "summary": self.thought.summary, "body": self.content}[channel]


def read_reply(answer: Mapping[str, Any]) -> Reply:
    """Return what ``answer`` holds; raise ``EngineError`` if it is of another shape, or its thought is ambiguous."""
    choice = mapped(next(iter(listed(answer.get("choices"))), None))
    message, usage = mapped(choice.get("message")), mapped(answer.get("usage"))
    if not message:
        raise EngineError(f"Expected an answer with choices and a message, got the keys {sorted(answer)!r:.200}.")
    content, thought = read_thought(message)
    details = mapped(usage.get("completion_tokens_details"))
    return Reply(
        content=content,
        thought=thought,
        refusal=text_of(message.get("refusal"), "text"),
        reason=choice.get("finish_reason"),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        thought_tokens=_count(details.get("reasoning_tokens")),
    )


def generation_of(
    reply: Reply, request: GenerateRequest, thought: bool, seeded: bool, channel: Channel = "reasoning"
) -> Generation:
    """Return what was wanted, up to a stop string: ``channel`` of a reply after a thought, or a reply at once.

    ``thought``: whether the model was to think.
    """
    status, error = _fault(reply, channel if thought else None)
    shown = reply.shown(channel) if thought else chosen(reply.content, request.one_of)
    text = "" if status is Status.ENCRYPTED else _before(shown, request.stop)
    told = Told(
        status,
        error,
        reply.prompt_tokens,
        _tokens(reply, channel) if thought else reply.generated_tokens,
        seeded,
        channel if thought else "body",
    )
    return Generation(tuple(text.encode(errors="replace")), _finish(reply, thought and channel != "body"), told)


def failed(status: Status, error: str) -> Generation:
    """Return the generation of a request that the server answered with an error, or not at all."""
    return Generation((), "stop", Told(status, error))


def chosen(content: str, words: Sequence[str]) -> str:
    """Return the word in a structured answer; anything else as it is."""
    try:
        answer = mapped(json.loads(content)).get("answer") if words else None
    except ValueError:
        answer = None
    return answer if isinstance(answer, str) and answer in words else content


def _fault(reply: Reply, wanted: Channel | None) -> tuple[Status, str | None]:
    """Return why the reply has not what was wanted: a channel, or None for a reply at once."""
    if reply.reason == "content_filter":
        return Status.REFUSED, "The server's content filter withheld the text."
    if reply.refusal:
        return Status.REFUSED, f"The model refused: {reply.refusal!r:.{_SHOWN}}"
    if reply.reason not in ("stop", "length"):
        return Status.ENGINE_ERROR, f"The server ended a reply with {reply.reason!r:.40}; expected stop or length."
    if wanted == "reasoning" and reply.hides:
        return Status.ENCRYPTED, f"The model thought, and the server {hidden(reply)}."
    if wanted == "summary" and reply.thinks and not reply.thought.summary.strip():
        done = "shows its thought itself" if reply.thought.text.strip() else hidden(reply)
        return Status.EMPTY_CHAIN, f"The reply has no summary of the model's thought: the server {done}."
    if wanted is None and reply.thinks:
        return Status.ENGINE_ERROR, (
            "The model thought before a reply that must come at once, so it is no reply to this prompt alone. Turn its "
            "thinking off (options.without_thinking, or options.fields for a model whose chains are not thoughts)."
        )
    return Status.OK, None


def _finish(reply: Reply, thought: bool) -> FinishReason:
    """Return whether the text is whole: a thought is if a reply follows it."""
    whole = bool(thought and reply.content.strip())
    return "length" if reply.reason == "length" and not whole else "stop"


def hidden(reply: Reply) -> str:
    """Return what a server does with a thought that it does not show whole, such as "encrypts its thought"."""
    if reply.thought.summary.strip():
        return "shows only a summary of its thought (options.channel: summary has that one)"
    return "encrypts its thought" if reply.thought.encrypted else "hides its thought"


def _tokens(reply: Reply, channel: Channel) -> int | None:
    """Return the tokens of a channel's text; None: the server does not say. It never counts a summary's."""
    thought = reply.thought_tokens or (None if reply.content.strip() else reply.generated_tokens)
    if channel == "reasoning":
        return thought
    known = channel == "body" and thought is not None and reply.generated_tokens is not None
    return max(0, (reply.generated_tokens or 0) - (thought or 0)) if known else None


def _before(text: str, stops: Sequence[str]) -> str:
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
