"""Places where a text retracts what it said: "7. Wait, no, it is 8"."""

import re
from dataclasses import dataclass

_MARK = re.compile(
    r"\b(?:wait|hold on|oops|hmm+|sorry|correction|scratch that|strike that|i mean|my mistake|on second thought|no)\b"
    r"\s*[,.!:—]|\b(?:wait|sorry|i mean|scratch that|on second thought|actually)\b|"
    r"\blet me (?:re-?\w+|correct|redo|fix|try)\b",
    re.IGNORECASE,
)
_JUDGED = re.compile(
    r"\b(?:this|that|it|which|answer) (?:is|was|seems|looks) (?:wrong|incorrect|not right|not correct)\b|"
    r"[,.;—] (?:but )?(?:wrong|incorrect)\b",
    re.IGNORECASE,
)
"""A judgement of an answer, unless right or wrong is itself the answer."""
_MILD = re.compile(r"no|actually|sorry", re.IGNORECASE)


@dataclass(frozen=True)
class Correction:
    """One place where a text retracts what it said."""

    start: int
    end: int
    firm: bool
    """Whether it retracts what came before even if nothing new follows."""
    is_no: bool
    """Whether it is the word "no"."""


def corrections(text: str, judged: bool = True) -> list[Correction]:
    """Return the places, from the last to the first; ``judged``: "that is wrong" counts as one."""
    found = [
        Correction(m.start(), m.end(), _MILD.match(m[0]) is None, m[0].lower().startswith("no"))
        for pattern in ((_MARK, _JUDGED) if judged else (_MARK,))
        for m in pattern.finditer(text)
    ]
    return sorted(found, key=lambda mark: mark.start, reverse=True)
