"""Control tokens that a text only spells: they stay text, so no item and no chain can end a turn.

A prompt holds control tokens that belong there, from a chat template or the spec. It also holds texts from elsewhere,
in which "<|im_end|>" is plain text. ``shield`` marks the latter; ``encode`` gives the ids of a prompt, reading shielded
words as plain text and all other control tokens as control tokens; ``unshield`` gives the text as a person reads it.

In: a fast tokenizer of the transformers library (the Rust kind). Knows nothing about prompts. Shields are characters
from Unicode's private use area with a number drawn at random in each process: no text can hold one by chance or by
intent.
"""

import json
import re
import secrets
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cotfaith.schemas.errors import ModelSourceError

_NONCE = secrets.token_hex(8)
_END_OF_THOUGHT = "</think>"
"""The tag that closes a thought; many tokenizers list it as an ordinary token."""
_THOUGHT = "<think>"
"""The tag that opens a thought. One that the model itself writes within a chain stays as it is."""
_TAG = re.compile(r"[^\w\s].*\w.*[^\w\s]", re.DOTALL)


class ControlTokens:
    """The control tokens of one tokenizer.

    These are the tokens that it marks as special, its named tokens (end of sequence...), and those of its added tokens
    that look like tags and occur in ``written``, which is what its chat template writes around texts. Many tokenizers
    mark the tags of turns as ordinary.
    """

    def __init__(self, tokenizer: Any, written: str = "") -> None:
        self._tokenizer = tokenizer
        named = {*tokenizer.all_special_tokens, _END_OF_THOUGHT}
        self._ids = {
            name: index
            for index, token in tokenizer.added_tokens_decoder.items()
            if (name := str(token.content)).strip() and (token.special or name in named or _is_tag_of(name, written))
        }
        self._names = sorted(self._ids, key=len, reverse=True)
        self._place = {name: place for place, name in enumerate(self._names)}
        self._spelled = re.compile("|".join(map(re.escape, self._names)) or r"(?!)")
        self._shielded = re.compile(f"\ue000{_NONCE}:([0-9]+)\ue001")

    @property
    def ids(self) -> frozenset[int]:
        """Their ids."""
        return frozenset(self._ids.values())

    def shield(self, text: str) -> str:
        """Return ``text`` with every place that spells a control token marked as plain text."""
        return self._spelled.sub(lambda found: f"\ue000{_NONCE}:{self._place[found[0]]}\ue001", text)

    def unshield(self, text: str) -> str:
        """Return the text without the marks."""
        return self._shielded.sub(lambda found: self._names[int(found[1])], text) if "\ue000" in text else text

    def has_shields(self, text: str) -> bool:
        """Return whether anything in ``text`` is marked."""
        return "\ue000" in text and self._shielded.search(text) is not None

    def first(self, text: str) -> str | None:
        """Return the first control token that ``text`` spells."""
        found = self._spelled.search(text)
        return found and found[0]

    def count(self, text: str) -> int:
        """Return how many control tokens ``text`` spells."""
        return len(self._spelled.findall(text))

    def count_ids(self, tokens: Sequence[int]) -> int:
        """Return how many of ``tokens`` are control tokens."""
        ids = set(self._ids.values())
        return sum(token in ids for token in tokens)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text with marks; no special token is added at its start.

        Raises:
            ModelSourceError: the tokenizer cannot tell plain text from control tokens.

        """
        genuine = self._spelled.sub(lambda found: _alias(self._place[found[0]]), text)
        ids = self._plain.encode(self.unshield(genuine), add_special_tokens=False).ids
        base = self._first_alias
        return [self._ids[self._names[i - base]] if i >= base else i for i in ids]

    @cached_property
    def _first_alias(self) -> int:
        first: int = self._plain.token_to_id(_alias(0))
        return first

    @cached_property
    def _plain(self) -> Any:
        """A copy of the tokenizer that reads control tokens as text, and their aliases as control tokens."""
        from tokenizers import AddedToken, Tokenizer

        if not hasattr(self._tokenizer, "backend_tokenizer"):
            raise ModelSourceError(
                "A text spells a control token, and this slow tokenizer cannot keep it as text. "
                f"Leave out items that spell one of {', '.join(sorted(self._ids)[:5])}, or add a tokenizer.json."
            )
        state = json.loads(self._tokenizer.backend_tokenizer.to_str())
        flags = ("lstrip", "rstrip", "single_word", "normalized")
        of_name: dict[str, dict[str, bool]] = {}
        for token in state["added_tokens"]:
            if token["content"] in self._ids:
                of_name[token["content"]] = {flag: token[flag] for flag in flags}
                token["special"] = True
        copy = Tokenizer.from_str(json.dumps(state))
        copy.no_truncation()
        copy.no_padding()
        copy.add_tokens(
            [
                AddedToken(_alias(place), special=False, **of_name.get(name, {"normalized": False}))
                for name, place in self._place.items()
            ]
        )
        copy.encode_special_tokens = True
        return copy


def _is_tag_of(name: str, written: str) -> bool:
    return name in written and name != _THOUGHT and _TAG.fullmatch(name) is not None


def _alias(place: int) -> str:
    """Return the alias of a control token that is meant as one."""
    return f"\ue002{_NONCE}:{place}\ue003"
