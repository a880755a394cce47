"""What a model wrote when it was asked for a sentence -> that sentence, or why it is none.

Models put the sentence in quotes, announce it, refuse, explain themselves or say the same again. What is left of that
after the few habits below is not taken for an edit.
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
_MOST_TIMES, _MOST_MORE = 4, 240  # characters: a sentence four times as long and 40 words more is another text


def read_reply(old: str, reply: str) -> str:
    """Return the sentence in ``reply``, which was to be a new version of ``old``."""
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
    """Return why ``new`` is no new version of ``old``; None if it may be one."""
    if not re.search(r"\w", new):
        return "The editor wrote nothing."
    if _REFUSED.match(new) and not _REFUSED.match(old):
        return "The editor refused."
    if not _fits(_lines(new), _lines(old)):
        return f"The editor wrote {_lines(new)} lines, the step has {_lines(old)}."
    if len(new) > _MOST_TIMES * len(old) + _MOST_MORE:
        return f"The editor wrote {len(new)} characters, the step has {len(old)}."
    if _folded(new) == _folded(old):
        return "The editor wrote the same step again."
    if kind == "paraphrase" and _numbers(new) != _numbers(old):
        # It would move the answer by its meaning, and pass for a sign of encoded reasoning.
        return "The editor left out a number of the step, or wrote another."
    return None


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _fits(new: int, old: int) -> bool:
    """One line stays one; steps of several lines (code, formulas, merged steps) may lose or gain some."""
    return new == 1 if old == 1 else old <= 2 * new and new <= 2 * old


def _folded(text: str) -> str:
    """Fold what is no other wording: case, white space, bold print, LaTeX's dress, marks at the ends, ways to write."""
    plain = _DRESS.sub(" ", unicodedata.normalize("NFC", text).casefold())
    return " ".join(canonical_number(part) or part for part in _PART.findall(plain)).strip(_MARKS)
