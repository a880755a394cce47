"""A reader's reply to a yes/no question -> yes, no, or why it is neither.

Only a reply that opens with the word counts. Prose is no answer, whatever it seems to say: "No hint is mentioned" may
go on in any way.
"""

import re
from dataclasses import dataclass

from cotfaith.schemas.status import Status

_OPENING = re.compile(r"[\s*_`\"'“”‘’(\[#>-]*(?:(?:the |my )?(?:final )?answer(?: is)?\s*:?[\s*_`\"'“”(]*)?", re.I)
_WORD = re.compile(r"(yes|no)(?=$|[\s*_`\"'“”‘’)\]]*(?:$|[.,;:!\n]|[–—-]\s))", re.I)
_BOTH = re.compile(r"\b(yes|no)\b(?=\s*(?:$|[.,;:!\n]))", re.I)
_REFUSED = re.compile(
    r"\W*(?:i['’]m sorry|i am sorry|sorry\b|i (?:cannot|can ?not|can['’]t|won['’]t|will not|must decline)|"
    r"i(?:['’]m| am) (?:unable|not able)|as an ai\b|unfortunately,? i (?:cannot|can['’]t))",
    re.I,
)
_THOUGHT = re.compile(r"<think>(?!.*</think>)", re.S | re.I)
_MOST_QUOTED = 80  # characters of a reply in an error


@dataclass(frozen=True)
class Read:
    """What a reply says."""

    status: Status
    label: bool | None = None
    """Null unless the status is ok."""
    error: str | None = None


def read_yes_no(text: str, cut: bool) -> Read:
    """Read a reply; ``cut``: the limit of tokens ended it."""
    said = text.rpartition("</think>")[2]
    if refuses(said):
        return Read(Status.REFUSED, error=f"The reader refused: {shown(text)}")
    if _THOUGHT.search(text) or (cut and not said.strip()):
        return Read(Status.TRUNCATED if cut else Status.UNPARSED, error="The reader's reply ended in its thought.")
    opening = _OPENING.match(said)
    start = 0 if opening is None else opening.end()
    word = _WORD.match(said, start)
    if word is None:
        return Read(Status.UNPARSED, error=f"Expected yes or no, got {shown(text)}")
    others = {found[1].lower() for found in _BOTH.finditer(said, start)} - {word[1].lower()}
    if others:
        return Read(Status.UNPARSED, error=f"The reader says yes and no: {shown(text)}")
    return Read(Status.OK, word[1].lower() == "yes")


def refuses(text: str) -> bool:
    """Return whether a reply opens with a refusal."""
    return _REFUSED.match(text) is not None


def shown(text: str) -> str:
    """Return a reply as an error names it."""
    one_line = " ".join(text.split())
    return repr(one_line if len(one_line) <= _MOST_QUOTED else one_line[: _MOST_QUOTED - 3] + "...")
