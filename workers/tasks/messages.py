"""A question in chat messages -> its text, if there is only one message, from the user, with only text.

Messages are dicts with ``role`` and ``content`` (a text, or a list of text parts), or ShareGPT's ``from`` and
``value``. The input is one message, a list, or such a list as JSON text. A system message, several turns, images and
anything else beyond text are refused: the prompts of the run would leave them out.
"""

import re
from typing import Any

from cotfaith.workers.tasks.json_text import json_in_text
from cotfaith.workers.tasks.values import is_missing, kind_of

_IN_TEXT = re.compile(r"\s*\[?\s*\{\s*['\"](?:role|from|content)['\"]\s*:")
_USERS = ("user", "human")


def question_text(value: Any) -> str:
    """Return the question's text; raise ``ValueError`` with the reason if ``value`` contains anything else."""
    if isinstance(value, str):
        return _from_text(value) if is_messages(value) else value
    turns = [value] if isinstance(value, dict) else value
    if not isinstance(turns, list | tuple) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError(f"is {kind_of(value)}, expected a text or one user's message")
    if not all({"role", "content"} <= turn.keys() or {"from", "value"} <= turn.keys() for turn in turns):
        raise ValueError(f"is {kind_of(value)} that are not messages (role and content), expected a text")
    roles = [str(turn.get("role", turn.get("from"))) for turn in turns]
    if len(roles) > 1:
        got = "a system message" if roles[0] in ("system", "developer") and len(roles) == 2 else "several turns"
        raise ValueError(f"has {got} (roles: {', '.join(roles)}), expected one message from the user")
    if roles[0] not in _USERS:
        raise ValueError(f"is a message with the role {roles[0]!r}, expected the user's")
    return _content(turns[0])


def is_messages(text: str) -> bool:
    """Return whether ``text`` is messages, as JSON or in Python's notation."""
    return _IN_TEXT.match(text) is not None


def _from_text(text: str) -> str:
    try:
        value = json_in_text(text)
    except ValueError:
        raise ValueError("is messages as text, but not JSON, expected a text or messages as JSON") from None
    return question_text(value)


def _content(turn: dict[str, Any]) -> str:
    key = "content" if "role" in turn else "value"
    more = [name for name, part in turn.items() if name != key and isinstance(part, list | dict) and part]
    if more:
        raise ValueError(f"is a message with {more[0]!r} besides its text, which a question cannot contain")
    if not isinstance(turn[key], list | tuple):
        return _own_text(turn[key])
    return "\n".join(_part(part) for part in turn[key])


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return _own_text(part)
    kind = part.get("type", "text")
    others = [name for name, value in part.items() if name not in ("type", "text") and not is_missing(value)]
    if kind not in ("text", "input_text") or any(isinstance(part[name], list | dict) for name in others):
        raise ValueError(f"is a message with a part of type {kind!r}, expected text only")
    return _own_text(part.get("text"))


def _own_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is a message whose content is {kind_of(value)}, expected a text")
    return value
