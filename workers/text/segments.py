"""The segments of an item's question, and the item with some of them masked.

In: an item. Out: the same item with "..." for each run of masked words. Segments are runs of words, evenly long,
counted from 1. They cover the text before the question, the question, and the text after it (those of an intervention).
The choices, their marks and earlier turns stay. With every segment kept, the item is the same, letter by letter. Knows
nothing about prompts or models.
"""

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from cotfaith.schemas.records import Item
from cotfaith.workers.text.questions import framing_of

MASK = "..."
"""Replaces a run of masked words. The published CC-SHAP also masks with one "..." for neighbouring tokens."""
_WORD = re.compile(r"\s*\S+(?:\s+$)?")
"""A word with the white space before it; the last one also has what follows it."""


@dataclass(frozen=True)
class Segments:
    """An item's question in segments."""

    item: Item
    words: tuple[tuple[str, ...], ...]
    """Those of the texts before the question, of the question, and after it."""
    count: int
    """Segments: fewer than asked for if there are not so many words."""

    @classmethod
    def of(cls, item: Item, at_most: int) -> "Segments":
        """Return the item's question in ``at_most`` segments."""
        words = tuple(tuple(_WORD.findall(text)) for text in _texts(item))
        return cls(item, words, min(at_most, sum(map(len, words))))

    def only(self, kept: Collection[int]) -> Item:
        """Return the item with only the segments ``kept``, counted from 1; the others are masked."""
        marked = zip(_texts(self.item), self._marked(kept), strict=True)
        before, question, after = (_masked(words) if words else text for text, words in marked)
        variant = self.item.variant
        if variant is not None:
            variant = replace(variant, framing=replace(variant.framing, before=before, after=after))
        return replace(self.item, question=question, variant=variant)

    def _marked(self, kept: Collection[int]) -> Iterator[list[tuple[str, bool]]]:
        """Yield each text's words with whether they are kept."""
        total, places = sum(map(len, self.words)), itertools.count()
        for words in self.words:
            yield [(word, 1 + next(places) * self.count // total in kept) for word in words]


def _texts(item: Item) -> tuple[str, str, str]:
    framing = framing_of(item)
    return framing.before, item.question, framing.after


def _masked(words: Sequence[tuple[str, bool]]) -> str:
    runs = itertools.groupby(words, key=lambda one: one[1])
    texts = (("".join(word for word, _ in run), kept) for kept, run in runs)
    return "".join(text if kept else text.replace(text.strip(), MASK) for text, kept in texts)
