"""Text and tokens at a join: a continuation is decoded and encoded in its context, never by itself.

In: a tokenizer of the transformers library, and the tokens before a continuation. Out: the continuation's text, or its
tokens. Tokenizers treat the beginning of a text specially, so a continuation alone would come out wrong: SentencePiece
tokenizers drop the space before its first word, or add one; word-level tokenizers drop the blank between two words. So
the end of the preceding text is put in front, and what it yields by itself is removed again.

Knows nothing about prompts, models or engines.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

TAIL = 16
"""How many tokens of the preceding text are put in front: more than one character takes."""
HALF = "\ufffd"
"""What decoders write for bytes that are not a whole character."""
_LETTER = "a"


class Joins:
    """Decoder and encoder of continuations with one tokenizer; special tokens are kept as text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = frozenset(tokenizer.added_tokens_decoder)
        self._spaced: dict[tuple[int, str], bool] = {}

    def text_after(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text that ``tokens`` add to ``before``; an incomplete character is U+FFFD."""
        if not tokens:
            return ""
        # Bytes of an incomplete character may spoil the character before them: then a plain letter is put in its place.
        for anchor in (self._tail(before), self._letter):
            head, whole = self._decode(anchor), self._decode((*anchor, *tokens))
            if whole.startswith(head):
                text = whole[len(head) :]
                return text[1:] if before and self._space_is_added(before[-1], text) else text
        return self._decode(tokens)

    def prompt_text(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``, including control tokens."""
        ends = [i + 1 for i, token in enumerate(tokens) if token in self._added]
        return "".join(self.text_after(tokens[:a], tokens[a:b]) for a, b in pairwise([0, *ends, len(tokens)]))

    def whole_text_after(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the same text up to the last whole character; the tokens may end within a character."""
        text = self.text_after(before, tokens)
        if not text.endswith(HALF):
            return text
        # Some decoders also spoil the characters before an incomplete one: fewer tokens restore them.
        shorter = (self.text_after(before, tokens[:-n]) for n in range(1, min(4, len(tokens))))
        return max((found.rstrip(HALF) for found in (text, *shorter)), key=len)

    def tokens_after(self, before: Sequence[int], text: str) -> list[int] | None:
        """Return tokens that add exactly ``text`` to ``before``; None if the tokenizer has none."""
        if not text:
            return []
        return next((ids for ids in self._ways(before, text) if self.text_after(before, ids) == text), None)

    def _tail(self, before: Sequence[int]) -> tuple[int, ...]:
        """Return the end of ``before``, from a whole character: some decoders spoil all bytes beside a partial one."""
        tails = [tuple(before[-n:]) for n in range(min(TAIL, len(before)), 0, -1)][:4]
        return next((tail for tail in tails if not self._decode(tail).startswith(HALF)), tails[0] if tails else ())

    def _space_is_added(self, last: int, text: str) -> bool:
        """Return whether ``text`` begins with the space that the encoder adds after the control token ``last``."""
        if last not in self._added or not text.startswith(" "):
            return False
        opening = f" {_LETTER}" if text[1:2] == " " else _LETTER
        if (last, opening) not in self._spaced:
            name = self._decode((last,))
            self._spaced[last, opening] = self._decode(self._encode(name + opening)) == f"{name} {opening}"
        return self._spaced[last, opening]

    def _ways(self, before: Sequence[int], text: str) -> Iterator[list[int]]:
        """Yield candidate tokens of ``text``: encoded after the end of ``before``, after a letter, and by itself."""
        for head in (self._decode(before[-TAIL:]), _LETTER):
            alone, whole = self._encode(head), self._encode(head + text)
            if whole[: len(alone)] == alone:
                yield whole[len(alone) :]
        yield self._encode(text)

    @cached_property
    def _letter(self) -> tuple[int, ...]:
        """The token of one plain letter; empty if there is none."""
        ids = self._encode(_LETTER)
        return tuple(ids) if len(ids) == 1 and self._decode(ids).strip() == _LETTER else ()

    def _decode(self, tokens: Sequence[int]) -> str:
        options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
        return str(self._tokenizer.decode(list(tokens), **options))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))
