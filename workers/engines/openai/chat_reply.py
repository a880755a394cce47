"""One reply of a chat endpoint -> a generation, with what the server said about it.

In: the JSON that a server sent, which is untrusted. Out: the text as UTF-8 bytes (``workers/text/turns``), and a
status: a reply that a filter withheld, that the model refused, or that came with an unwanted thought does not count.
Thoughts are in ``reasoning_content`` (DeepSeek, vLLM, SGLang), in ``reasoning`` (OpenRouter, vLLM), in parts of the
content (Mistral), or between <think> and </think> in the content. Knows nothing about HTTP.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import FinishReason, GenerateRequest, Generation, Told
from cotfaith.workers.text.conversation import END_THINK, THINK

_SHOWN = 200  # letters of a server's words in an error
_THOUGHT_FIELDS = ("reasoning_content", "reasoning")


@dataclass(frozen=True)
class Reply:
    """What one reply holds."""

    content: str
    thought: str
    """"" if there is none, or none that is shown."""
    summarised: bool
    """Whether ``thought`` is a summary of the thought."""
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
        return bool(self.thought.strip() or self.thought_tokens)

    @property
    def hides(self) -> bool:
        """Whether there was a thought of which the server shows a summary or nothing."""
        return self.summarised or (self.thinks and not self.thought.strip())


def read_reply(answer: Mapping[str, Any]) -> Reply:
    """Return what ``answer`` holds; raise ``EngineError`` if it is of another shape."""
    choice = _mapping(next(iter(_list(answer.get("choices"))), None))
    message, usage = _mapping(choice.get("message")), _mapping(answer.get("usage"))
    if not message:
        raise EngineError(f"Expected an answer with choices and a message, got the keys {sorted(answer)!r:.200}.")
    content, thought = _split(_text(message.get("content"), "text"))
    given = (_text(message.get(name), "text") for name in _THOUGHT_FIELDS)
    shown = next(filter(None, given), "") or _text(message.get("content"), "thinking")
    details = _mapping(usage.get("completion_tokens_details"))
    kinds = {_mapping(one).get("type") for one in _list(message.get("reasoning_details"))}
    return Reply(
        content=content,
        thought=shown or thought,
        summarised="reasoning.summary" in kinds,
        refusal=_text(message.get("refusal"), "text"),
        reason=choice.get("finish_reason"),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        thought_tokens=_count(details.get("reasoning_tokens")),
    )


def generation_of(reply: Reply, request: GenerateRequest, thought: bool, seeded: bool) -> Generation:
    """Return the thought, if one was wanted, or else the reply itself, up to a stop string."""
    status, error = _fault(reply, thought)
    text = _before(reply.thought if thought else chosen(reply.content, request.one_of), request.stop)
    told = Told(
        status,
        error,
        reply.prompt_tokens,
        _thought_tokens(reply) if thought else reply.generated_tokens,
        seeded,
        "reasoning" if thought else "body",
    )
    return Generation(tuple(text.encode(errors="replace")), _finish(reply, thought), told)


def failed(status: Status, error: str) -> Generation:
    """Return the generation of a request that the server answered with an error, or not at all."""
    return Generation((), "stop", Told(status, error))


def chosen(content: str, words: Sequence[str]) -> str:
    """Return the word in a structured answer; anything else as it is."""
    try:
        answer = _mapping(json.loads(content)).get("answer") if words else None
    except ValueError:
        answer = None
    return answer if isinstance(answer, str) and answer in words else content


def _fault(reply: Reply, thought: bool) -> tuple[Status, str | None]:
    if reply.reason == "content_filter":
        return Status.REFUSED, "The server's content filter withheld the text."
    if reply.refusal:
        return Status.REFUSED, f"The model refused: {reply.refusal!r:.{_SHOWN}}"
    if reply.reason not in ("stop", "length"):
        return Status.ENGINE_ERROR, f"The server ended a reply with {reply.reason!r:.40}; expected stop or length."
    if thought and reply.hides:
        return Status.ENGINE_ERROR, "The server hides the model's thought, or shows only a summary of it."
    if not thought and reply.thinks:
        return Status.ENGINE_ERROR, (
            "The model thought before a reply that must come at once, so it is no reply to this prompt alone. Turn its "
            "thinking off (options.without_thinking, or options.fields for a model whose chains are not thoughts)."
        )
    return Status.OK, None


def _finish(reply: Reply, thought: bool) -> FinishReason:
    """Return whether the text is whole: a thought is if a reply follows it."""
    whole = bool(thought and reply.content.strip())
    return "length" if reply.reason == "length" and not whole else "stop"


def _thought_tokens(reply: Reply) -> int | None:
    return reply.thought_tokens or (None if reply.content.strip() else reply.generated_tokens)


def _split(content: str) -> tuple[str, str]:
    """Return (reply, thought) of a content with tags; some templates open the thought, and only its end is there."""
    if END_THINK in content:
        thought, _, rest = content.partition(END_THINK)
        return rest, thought.lstrip().removeprefix(THINK)
    if content.lstrip().startswith(THINK):
        return "", content.lstrip().removeprefix(THINK)
    return content, ""


def _before(text: str, stops: Sequence[str]) -> str:
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


def _text(value: Any, kind: str) -> str:
    """Return a text, or those parts of a list that are of the kind "text" or "thinking"."""
    if isinstance(value, str):
        return value if kind == "text" else ""
    parts = [_mapping(one) for one in _list(value)]
    return "".join(_text(part.get(kind), "text") for part in parts if part.get("type") == kind)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
