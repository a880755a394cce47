"""A model's reply to a request for a sentence or a question -> it, or the reason why it is not usable.

Models put the sentence in quotes, announce it, refuse, explain themselves or repeat the old step. The few habits below
are removed; a reply that still has such text is not an edit.
"""

import re
import unicodedata

from cotfaith.workers.roles.editors.base import EditKind
from cotfaith.workers.text.canonical import canonical_number

_ANNOUNCED = re.compile(
    r"(?:(?:sure|certainly|of course|okay|absolutely)\b[!.,:]*\s*)?"
    r"(?:here(?:['’]s| is| are)\b[^\n:]{0,80}:\s*)?"
    r"(?:(?:the |my |a )?(?:(?:new|changed|modified|revised|rewritten|reworded|paraphrased|incorrect|wrong) )?"
    r"(?:sentence|version|paraphrase|with a mistake|in other words)\s*:\s*)?",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"(?:i['’]m sorry|i am sorry|sorry,|i cannot|i can['’]t|as an ai)\b", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "«": "»"}
_DRESS = re.compile(r"\*\*|\\(?:boxed|text|mathrm|mathbf)\b|\\[()\[\],;!]|[\\${}_`]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PART = re.compile(rf"{_NUMBER.pattern}|[^\W\d_]+|[^\w\s]")
_MARKS = " .,:;!*_`\"'“”"
_MOST_TIMES, _MOST_MORE = 4, 240  # characters: four times as long plus 40 words is another text


_QUESTION = re.compile(r"(?:the |my |a )?(?:new |counterfactual )?question\s*:\s*", re.IGNORECASE)
_OTHER_TEXT = re.compile(
    r"^\W*(?:(?:new )?question|reasoning|explanation|answer)\W*:|"
    r"\b(?:the|my|its|correct|right|single,|likely) answer (?:is|would be|to)\b",
    re.IGNORECASE | re.MULTILINE,
)
_ASKS = re.compile(r"[?？؟]\W*$")
_CHOICE = re.compile(r"^\s*\(?[A-Z][).]\s|\([A-E]\)\s", re.MULTILINE)
_YES_NO = re.compile(
    r"(?:[.!?:;\n]|^)\s*(?:is|are|was|were|do|does|did|can|could|will|would|has|have|had|should|may|must)\b[^.!?]*\?\W*$",
    re.IGNORECASE,
)


def read_reply(old: str, reply: str) -> str:
    """Return the sentence in ``reply``, which should be a new version of ``old``."""
    text = reply.strip()
    if not _announcement(old):
        text = text.removeprefix(_announcement(text))
    if len(text) > 1 and old[:1] not in _QUOTES and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1]
    return text.strip()


def _announcement(text: str) -> str:
    found = _ANNOUNCED.match(text)
    return found.group() if found else ""


def fault(kind: EditKind, old: str, new: str) -> str | None:
    """Return why ``new`` is not a new version of ``old``; None if it may be one."""
    if not re.search(r"\w", new):
        return "The editor wrote nothing."
    if _REFUSED.match(new) and not _REFUSED.match(old):
        return "The editor refused."
    if not _fits(_lines(new), _lines(old)):
        return f"The editor wrote {_lines(new)} lines, the step has {_lines(old)}."
    if len(new) > _MOST_TIMES * len(old) + _MOST_MORE:
        return f"The editor wrote {len(new)} characters, the step has {len(old)}."
    if folded(new) == folded(old):
        return "The editor wrote the same step again."
    if kind == "paraphrase" and _numbers(new) != _numbers(old):
        # It would change the answer by its meaning, and look like a sign of encoded reasoning.
        return "The editor left out a number of the step, or wrote another."
    return None


def read_question(reply: str) -> str:
    """Return the question in ``reply``."""
    text = reply.strip()
    text = text.removeprefix(_announcement(text))
    found = _QUESTION.match(text)
    return read_reply("", text[found.end() :] if found else text)


def question_fault(old: str, new: str) -> str | None:
    """Return why ``new`` is not another question with the answers of ``old``; None if it may be one.

    Whether it is about the same thing, and whether a chain helps to answer it, is not checked.
    """
    if not re.search(r"\w", new):
        return "The editor wrote nothing."
    if _REFUSED.match(new) and not _REFUSED.match(old):
        return "The editor refused."
    if _OTHER_TEXT.search(new) and not _OTHER_TEXT.search(old):
        return "The editor wrote more than a question: an answer, or another example."
    if _CHOICE.search(new) and not _CHOICE.search(old):
        return "The editor wrote choices of its own. Those of the item stay."
    if not _fits(_lines(new), _lines(old)):
        return f"The editor wrote {_lines(new)} lines, the question has {_lines(old)}."
    if len(new) > _MOST_TIMES * len(old) + _MOST_MORE:
        return f"The editor wrote {len(new)} characters, the question has {len(old)}."
    if _ASKS.search(old) and not _ASKS.search(new):
        return "The editor wrote a statement, and no question."
    if folded(new) == folded(old):
        return "The editor wrote the item's own question again."
    if (_YES_NO.search(new) is None) != (_YES_NO.search(old) is None):
        return "The new question wants another kind of answer: only one of the two is a question of yes or no."
    return None


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _fits(new: int, old: int) -> bool:
    """A single line must stay one line; steps of several lines (code, formulas, merged steps) may lose or gain some."""
    return new == 1 if old == 1 else old <= 2 * new and new <= 2 * old


def folded(text: str) -> str:
    """Normalise what is not wording: case, white space, bold, LaTeX markup, marks at the ends, character variants."""
    plain = _DRESS.sub(" ", unicodedata.normalize("NFC", text).casefold())
    return " ".join(canonical_number(part) or part for part in _PART.findall(plain)).strip(_MARKS)
