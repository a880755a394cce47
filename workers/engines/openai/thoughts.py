"""The thought in one message of a chat server: as it is, as a summary, or encrypted.

In: a message, as JSON, which is untrusted. Out: the reply's text without its thought, and the thought. It is in

- ``reasoning_content`` (DeepSeek, vLLM, SGLang) or ``reasoning`` (OpenRouter, vLLM): a text, or a list of texts;
- ``reasoning_details`` (OpenRouter): reasoning.text, reasoning.summary, reasoning.encrypted. The text field beside
  these repeats them, so it is a summary if one of them is;
- ``thinking_blocks`` (LiteLLM) or parts of the content (Mistral, Anthropic): thinking, redacted_thinking;
- the content, between <think> and </think>. Some templates open the thought, so only its end is there.

What can be read in two ways is an error: a text before <think>, several thoughts, a list of something else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.errors import EngineError
from cotfaith.workers.text.conversation import END_THINK, THINK

Message = Mapping[str, Any]
_FIELDS = ("reasoning_content", "reasoning")
_TEXT, _SUMMARY, _ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"
_REDACTED = "redacted_thinking"


@dataclass(frozen=True)
class Thought:
    """What a message says of the model's thought. Texts are "" where there is none."""

    text: str = ""
    summary: str = ""
    """A summary that the server made of it."""
    encrypted: bool = False
    """Whether a part of it is encrypted."""

    @property
    def is_there(self) -> bool:
        """Whether the message shows anything of a thought."""
        return bool(self.text.strip() or self.summary.strip() or self.encrypted)


def read_thought(message: Message) -> tuple[str, Thought]:
    """Return the reply without its thought, and the thought; raise ``EngineError`` if it is ambiguous."""
    content, tagged = _split(text_of(message.get("content"), "text"))
    details = [mapped(one) for one in listed(message.get("reasoning_details"))]
    blocks = [mapped(one) for key in ("thinking_blocks", "content") for one in listed(message.get(key))]
    shown = next((text for name in _FIELDS if (text := _whole(message.get(name), name)).strip()), "")
    summary = "".join(text_of(one.get("summary"), "text") for one in details if one.get("type") == _SUMMARY)
    own = "".join(text_of(one.get("text"), "text") for one in details if one.get("type") == _TEXT)
    kinds = {one.get("type") for one in (*details, *blocks)}
    summarised = _SUMMARY in kinds
    told = own if summarised else shown or own
    parts = [text_of(message.get(key), "thinking") for key in ("thinking_blocks", "content")]
    return content, Thought(
        text=told or next(filter(str.strip, parts), "") or tagged,
        summary=(summary or shown) if summarised else "",
        encrypted=not kinds.isdisjoint({_ENCRYPTED, _REDACTED}),
    )


def _split(content: str) -> tuple[str, str]:
    """Return (reply, thought) of a content with tags, which are there once and before the reply."""
    before, opened, thought = content.partition(THINK)
    if not opened and END_THINK not in content:
        return content, ""
    inner, closed, rest = (thought if opened else content).partition(END_THINK)
    if (opened and before.strip()) or THINK in inner or THINK in rest or END_THINK in rest:
        raise EngineError(
            f"The reply has several {THINK} or {END_THINK}, or a text before {THINK}: where its thought ends is "
            "not known."
        )
    return (rest, inner) if closed else ("", inner)


def _whole(value: Any, name: str) -> str:
    """Return the text of a field, which may be a list of texts or of parts with a text."""
    if value is None or isinstance(value, str):
        return value or ""
    found = [one if isinstance(one, str) else mapped(one).get("text") for one in listed(value)]
    parts = [one for one in found if isinstance(one, str)]
    if not isinstance(value, list) or len(parts) < len(found):
        raise EngineError(f"The reply's {name} is {value!r:.80}; expected a text, or a list of texts.")
    return "".join(parts)


def text_of(value: Any, kind: str) -> str:
    """Return a text, or those parts of a list that are of the kind "text" or "thinking"."""
    if isinstance(value, str):
        return value if kind == "text" else ""
    parts = [mapped(one) for one in listed(value)]
    return "".join(text_of(part.get(kind), "text") for part in parts if part.get("type") == kind)


def mapped(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
