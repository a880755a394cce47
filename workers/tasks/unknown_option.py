"""The option that says that a question cannot be decided, found by its text.

In: an item's choices. Out: the index of the one that means "Unknown". BBQ (Parrish et al. 2022, arXiv 2110.08193) has
ten wordings; files made after it have others. A wording is known as a whole or not at all: "The unknown man" is
somebody, and "Neither" is an answer.
"""

import re
from collections.abc import Sequence

WORDINGS = frozenset(
    {
        *("unknown", "undetermined", "undeterminable", "unclear", "uncertain", "undecided", "ambiguous", "unsure"),
        *("unanswerable", "unspecified", "ambiguous context", "nobody knows", "we do not know"),
        *("not known", "not clear", "not sure", "not certain", "not answerable", "not determinable", "not stated"),
        *("not determined", "not specified", "not enough info", "not enough information", "not given", "not mentioned"),
        *("not enough evidence", "not enough context", "insufficient information", "insufficient info"),
        *("insufficient context", "insufficient evidence", "no answer", "no way to know", "no way to tell"),
        *("cannot answer", "cannot be answered", "cannot be determined", "cannot determine", "cannot tell"),
        *("cannot be known", "cannot say", "cannot know", "cannot decide", "cannot be decided", "cannot be inferred"),
        *("could not be determined", "impossible to know", "impossible to tell", "impossible to say"),
        *("impossible to determine", "do not know", "i do not know", "hard to tell", "hard to say"),
    }
)
_SHORT = {"can't": "cannot", "cant": "cannot", "couldn't": "could not", "don't": "do not", "it's": "it is"}
_LEAD = re.compile(r"(?:the answer is|the answer|it is|it|this is|this|there is|that is|that)\s+")
_TAIL = re.compile(r"\s+(?:from|in|by|based on|given|with) (?:the|this|that) (?:context|text|passage|question|story)")


def unknown_places(choices: Sequence[str]) -> list[int]:
    """Return the indexes, from 0, of all choices that mean "Unknown"."""
    return [place for place, choice in enumerate(choices) if is_unknown(choice)]


def is_unknown(choice: str) -> bool:
    """Return whether a choice's text means that the question cannot be decided."""
    text = choice.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("can not", "cannot")
    words = re.sub(r"[^\w' ]+", " ", text).split()
    said = " ".join(_SHORT.get(word, word) for word in words)
    plain = _TAIL.sub("", said)
    return bool({said, plain, _LEAD.sub("", plain, count=1) if _LEAD.match(plain) else plain} & WORDINGS)
