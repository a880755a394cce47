"""The chain in one message of an Inspect log, and its channel.

In: a message with ``text`` and perhaps parts of the type "reasoning" (``reasoning``, ``summary``, ``redacted``), and
the channel that is asked for. Out: the text and its channel, or ``ValueError`` with the reason why there is none. A
part that is redacted holds encrypted data in place of its reasoning.

- reasoning: the parts, or the thought in the text's markup (``markup.py``);
- summary: the parts' summaries, if each part has one;
- body: the text after the thought, without a last line "ANSWER: ...".

If none is asked for, it is the reasoning; the body only if the message has no reasoning part and no thought at all.
"""

import re
from typing import Any

from cotfaith.schemas.records import Channel
from cotfaith.workers.tasks.markup import reasoning_span, reply_start

ANSWER_LINE = re.compile(r"(?:\A|\n)[ \t>*_]*ANSWER[ \t*_]*:[ \t]*(?P<answer>[^\n]*?)[ \t*_.]*$", re.IGNORECASE)
_LACKS = "its output has no readable chain"


def message_chain(message: Any, channel: Channel | None) -> tuple[str, Channel]:
    """Return the text of ``channel``, and what it is."""
    parts = _reasoning_parts(message)
    if channel == "summary":
        return _summary(parts), "summary"
    if channel == "body":
        return _body(message.text), "body"
    if parts:
        return _reasoning(parts), "reasoning"
    thought = _thought(message.text)
    if thought is not None:
        return thought, "reasoning"
    if channel == "reasoning":
        raise ValueError("its output has no reasoning, only a reply (--channel body)")
    return _body(message.text), "body"


def _reasoning_parts(message: Any) -> list[Any]:
    return [part for part in message.content if part.type == "reasoning"] if isinstance(message.content, list) else []


def _reasoning(parts: list[Any]) -> str:
    if any(part.redacted for part in parts):
        way = " (it has a summary: --channel summary)" if any((part.summary or "").strip() for part in parts) else ""
        raise ValueError(f"{_LACKS}: the reasoning is hidden or encrypted{way}")
    text = "\n\n".join(part.reasoning for part in parts)
    if not text.strip():
        raise ValueError(f"{_LACKS}: its reasoning has no words")
    return text


def _summary(parts: list[Any]) -> str:
    found = [(part.summary or "").strip() for part in parts]
    if not any(found):
        raise ValueError("its output has no summary of its reasoning")
    if not all(found):
        raise ValueError("only a part of its reasoning has a summary")
    return "\n\n".join(part.summary for part in parts)


def _body(text: str) -> str:
    start = _checked(reply_start, text)
    body = ANSWER_LINE.sub("", text[start:].strip() if start else text.rstrip())
    if not body.strip():
        raise ValueError(f"{_LACKS} besides the answer")
    return body


def _thought(text: str) -> str | None:
    span = _checked(reasoning_span, text)
    return None if span is None else text[span.start : span.end]


def _checked(read: Any, text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"its output {error}") from None
