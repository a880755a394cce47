"""How a cut text may have continued: the ways to complete its last piece that matter.

An answer that any of them changes was incomplete.
"""

import re

from cotfaith.schemas.records import AnswerFormat
from cotfaith.workers.text.readers.lexicon import AFTER_CHANGES
from cotfaith.workers.text.readers.units import SCALES, UNSURE_SCALES

_GLUED = ("x", "7", ".7", ",777", "'777", "/7", ":7", "e7", "-7", "%")
_BEHIND_NUMBER = (" 777", " million", " or 7", " and a half", " / 7", " x 7")
_WORDS = sorted({*AFTER_CHANGES, *SCALES, *UNSURE_SCALES, "or 7", "and a half", "times 7", "to 7", "half"})


def completions(text: str, answer_format: AnswerFormat) -> list[str]:
    """Return texts that ``text`` may be a prefix of."""
    if text.endswith("\n"):
        return []  # the line ended
    word = re.search(r"[^\W\d_]+$", text)
    if answer_format != "number":
        return [f"{text}x"] if word or answer_format == "text" else [f"{text}or C"] if text.endswith(" ") else []
    if word:
        return [f"{text}x", *(text + whole[len(word[0]) :] for whole in _WORDS if whole.startswith(word[0].lower()))]
    found = [text + rest for rest in _GLUED]
    return found + [text.rstrip() + rest for rest in _BEHIND_NUMBER] if re.search(r"[\d%€$*)\s]$", text) else found
