"""Text and tokens at a join: a continuation is decoded and encoded as what it is, never by itself.

In: a tokenizer of the transformers library, and the tokens that a continuation goes on from. Out: the continuation's
text, or its tokens. By itself a continuation loses what tokenizers do at the beginning of a text: those made by
SentencePiece drop the space of its first word, or add one; word-level ones drop the blank between two words. So the end
of what comes before is put in front, and what it gives by itself is taken off again.

Knows nothing about prompts, models or engines.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

TAIL = 16
"""Tokens of the text before that are put in front. More than a character takes."""
HALF = "\ufffd"
"""What stands for bytes that are no whole character."""
_LETTER = "a"


class Joins:
    """Decodes and encodes continuations with one tokenizer; special tokens are kept as text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = frozenset(tokenizer.added_tokens_decoder)
        self._spaced: dict[tuple[int, str], bool] = {}

    def text_after(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """Return what ``tokens`` add to the text of ``before``; half a character is U+FFFD."""
        if not tokens:
            return ""
        # Bytes of half a character may spoil the whole character before them: then a plain letter stands there.
        for anchor in (self._tail(before), self._letter):
            head, whole = self._decode(anchor), self._decode((*anchor, *tokens))
            if whole.startswith(head):
                text = whole[len(head) :]
                return text[1:] if before and self._space_is_added(before[-1], text) else text
        return self._decode(tokens)

    def prompt_text(self, tokens: Sequence[int]) -> str:
        """Return the text that ``tokens`` are made of, control tokens within it included."""
        ends = [i + 1 for i, token in enumerate(tokens) if token in self._added]
        return "".join(self.text_after(tokens[:a], tokens[a:b]) for a, b in pairwise([0, *ends, len(tokens)]))

    def whole_text_after(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the same up to the last whole character: the tokens may end in the midst of one."""
        text = self.text_after(before, tokens)
        if not text.endswith(HALF):
            return text
        # Some decoders spoil the whole characters before the half one, too: fewer tokens bring those back.
        shorter = (self.text_after(before, tokens[:-n]) for n in range(1, min(4, len(tokens))))
        return max((found.rstrip(HALF) for found in (text, *shorter)), key=len)

    def tokens_after(self, before: Sequence[int], text: str) -> list[int] | None:
        """Return tokens that add exactly ``text`` to the text of ``before``; None where the tokenizer has none."""
        if not text:
            return []
        return next((ids for ids in self._ways(before, text) if self.text_after(before, ids) == text), None)

    def _tail(self, before: Sequence[int]) -> tuple[int, ...]:
        """Return the end of ``before``, from a whole character on: some decoders spoil all bytes beside half a one."""
        tails = [tuple(before[-n:]) for n in range(min(TAIL, len(before)), 0, -1)][:4]
        return next((tail for tail in tails if not self._decode(tail).startswith(HALF)), tails[0] if tails else ())

    def _space_is_added(self, last: int, text: str) -> bool:
        """Return whether ``text`` begins with a space that the encoder itself puts after the control token ``last``."""
        if last not in self._added or not text.startswith(" "):
            return False
        opening = f" {_LETTER}" if text[1:2] == " " else _LETTER
        if (last, opening) not in self._spaced:
            name = self._decode((last,))
            self._spaced[last, opening] = self._decode(self._encode(name + opening)) == f"{name} {opening}"
        return self._spaced[last, opening]

    def _ways(self, before: Sequence[int], text: str) -> Iterator[list[int]]:
        """Yield what may be the tokens of ``text``: after the end of ``before``, after a letter, and by itself."""
        for head in (self._decode(before[-TAIL:]), _LETTER):
            alone, whole = self._encode(head), self._encode(head + text)
            if whole[: len(alone)] == alone:
                yield whole[len(alone) :]
        yield self._encode(text)

    @cached_property
    def _letter(self) -> tuple[int, ...]:
        """A token of one plain letter, if there is one."""
        ids = self._encode(_LETTER)
        return tuple(ids) if len(ids) == 1 and self._decode(ids).strip() == _LETTER else ()

    def _decode(self, tokens: Sequence[int]) -> str:
        options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
        return str(self._tokenizer.decode(list(tokens), **options))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))
