"""Prompts as whole turns, for servers that take messages and tokenise them: a codec without a tokenizer.

In: turns. Out: one text with a mark before each turn, whose UTF-8 bytes stand for tokens, and the messages that such
bytes hold. A prompt ends with the mark of the assistant's turn, or of its thought, and with nothing behind it: such a
server cannot continue a turn that has begun. Bytes are not the server's tokens, so no length is counted from them.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.schemas.errors import EngineError
from cotfaith.workers.text.chat_template import Turn

_OPEN, _CLOSE, _ESCAPE = "\x02", "\x03", "\x1b"  # \x02role\x03text
_ESCAPED = {_OPEN: "a", _CLOSE: "b", _ESCAPE: "c"}
_MARK = re.compile(f"{_OPEN}(system|user|assistant|thought){_CLOSE}")
BYTES_PER_TOKEN = 4
"""The bytes of English text in one token, roughly."""


@dataclass(frozen=True)
class Messages:
    """What is sent to a server."""

    turns: tuple[Turn, ...]
    """No turn is empty, and no two neighbours have the same role."""
    thought: bool
    """Whether a thought is wanted; if not, the model must reply at once."""


class TurnsCodec:
    """The codec protocol for whole turns."""

    has_chat_template = True
    whole_turns = True
    turn_end: str | None = None
    control_ids: frozenset[int] = frozenset()

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the bytes of ``text``."""
        return tuple(text.encode())

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the bytes of each text."""
        return [self.encode(text) for text in texts]

    def continuation(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the reply's text."""
        return codecs.decode(bytes(tokens), "utf-8", "replace")

    def plain(self, text: str) -> str:
        """Escape the characters that marks are made of."""
        return re.sub(f"[{_OPEN}{_CLOSE}{_ESCAPE}]", lambda found: _ESCAPE + _ESCAPED[found[0]], text)

    def shown(self, prompt: str) -> str:
        """Return the turns that are sent, each below its role."""
        return "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in parse_turns(prompt).turns)

    def unreadable(self, text: str) -> str | None:
        """Return None: the server gets every text as it is."""
        return None

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Return the turns with their marks; ``opened``: with the mark of the assistant's turn."""
        text = "".join(f"{mark(turn['role'])}{turn['content']}" for turn in turns)
        return text + mark("assistant") if opened else text


def mark(role: str) -> str:
    """Return what opens a turn; the role "thought" opens an assistant's turn with a thought."""
    return f"{_OPEN}{role}{_CLOSE}"


def read_turns(prompt: Sequence[int]) -> Messages:
    """Return the messages of a prompt's bytes; raise ``EngineError`` if its last turn has begun."""
    found = parse_turns(bytes(prompt).decode())
    if not found.turns or found.turns[-1]["role"] == "assistant":
        raise EngineError("A prompt continues an assistant's turn, which a chat endpoint cannot do.")
    return found


def parse_turns(prompt: str) -> Messages:
    """Return the messages of a prompt's text: empty turns are left out, and neighbours of one role are joined."""
    _, *parts = _MARK.split(prompt)
    turns: list[Turn] = []
    for role, content in zip(parts[::2], map(_unescaped, parts[1::2]), strict=True):
        speaker = "assistant" if role == "thought" else role
        if turns and turns[-1]["role"] == speaker and content.strip():
            turns[-1] = turns[-1] | {"content": f"{turns[-1]['content']}\n\n{content}"}
        elif content.strip():
            turns.append({"role": speaker, "content": content})
    return Messages(tuple(turns), bool(parts) and parts[-2] == "thought")


def _unescaped(text: str) -> str:
    back = {letter: character for character, letter in _ESCAPED.items()}
    return re.sub(f"{_ESCAPE}([abc])", lambda found: back[found[1]], text)
