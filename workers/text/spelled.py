"""Token ids -> text as a person can check it: which parts are control tokens, and which only look like one.

In: a codec and ids. Out: pieces of text in order; joined, they are the whole text.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from cotfaith.workers.text.codec import Codec


class Piece(NamedTuple):
    """A part of a text."""

    text: str
    is_control: bool
    """Whether it is one control token; a text that merely spells one is not."""


def spelled(codec: Codec, tokens: Sequence[int]) -> list[Piece]:
    """Return the text of ``tokens``; each control token is a piece of its own. Whole turns: each below its role."""
    if codec.whole_turns:
        return [Piece(codec.shown(codec.continuation((), tokens)), False)]
    found: list[Piece] = []
    done = 0
    for _, group in groupby(enumerate(tokens), lambda pair: (pair[1] in codec.control_ids) and pair[0] + 1):
        run = [token for _, token in group]
        text = codec.continuation(tokens[:done], run)
        found.append(Piece(text, run[0] in codec.control_ids))
        done += len(run)
    return found
