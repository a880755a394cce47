"""Words around a number that change its meaning: "more than 5", "question 5", "5 squared", "5 or more"."""

import itertools
import re
from collections.abc import Sequence

from cotfaith.workers.text.readers import lexicon

_DIRECTLY_AFTER = lexicon.words(
    "to through x above negative point too th st nd rd fold odd am pm a.m. p.m. power something"
)
_RELATIVE = lexicon.words("more as the that less fewer greater larger bigger smaller higher lower faster slower")
_FACTOR = re.compile(r"[^\W\dacdfghjlmstvw]|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Directly after a number: a variable, or a word of a language whose counters are not known."""
_PAIRS_AFTER = {("at", word) for word in ("least", "most", "best", "worst")} | {
    ("and", word)
    for word in ("up", "above", "over", "more", "higher", "beyond", "below", "under", "rising", "counting")
}


def is_bound(before: Sequence[str]) -> bool:
    """Return whether the words before a number make it a bound, a term, or a name."""
    if any(word in lexicon.CHANGES | lexicon.NUMBERED or word == "or" for word in before):
        return True
    if before and re.fullmatch(r"[b-zα-ω]", before[-1]):
        return True  # a variable, or a name: "B 12"
    if "most" in before and before[before.index("most") - 1] == "at":
        return True
    sums_up = any(word.startswith(("add", "sum", "come", "round")) for word in before)
    return any(word in lexicon.BOUNDS and not (word == "up" and sums_up) for word in before)


def is_altered(behind: Sequence[str]) -> bool:
    """Return whether the words after a number change its value, or deny it."""
    if behind[:1] == ["times"] and behind[1:2] and behind[1] in _RELATIVE:
        return True  # ten times as many
    if behind[:1] and (behind[0] in _DIRECTLY_AFTER or _FACTOR.fullmatch(behind[0])):
        return True
    if any(pair in _PAIRS_AFTER for pair in itertools.pairwise(behind)):
        return True
    if "or" in behind and behind[behind.index("or") + 1 : behind.index("or") + 2] not in (["so"], ["thereabouts"]):
        return True
    return any(word in lexicon.AFTER_CHANGES - _DIRECTLY_AFTER for word in behind)
