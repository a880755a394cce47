"""Blocks of a text that must not be split: fenced code and displayed formulas.

In: a text. Out: the place of each block. Fences are CommonMark's, at any indent (``` or ~~~ up to the closing line, or
to the end of the text). Formulas are between $$ and $$, \\[ and \\], or \\begin{x} and \\end{x}; as in TeX, a formula
holds no blank line, so a stray opening affects only its own paragraph. One pass: time is linear in the text's length.
"""

import re

_MARKS = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)$"
    r"|(?P<blank>^[ \t\r]*$)"
    r"|(?P<formula>\$\$|\\\[|\\\]|\\(?:begin|end)\{\w+\*?\})",
    re.MULTILINE,
)


def find_blocks(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each block, in order; they do not overlap."""
    blocks: list[tuple[int, int]] = []
    opening: re.Match[str] | None = None
    for mark in _MARKS.finditer(text):
        if opening is None or not opening["fence"]:
            if mark["blank"] is not None:
                opening = None
            elif mark["fence"] or opening is None:
                opening = mark if mark["fence"] or _closer(mark[0]) else None
            elif mark[0] == _closer(opening[0]):
                blocks.append((opening.start(), mark.end()))
                opening = None
        elif mark["fence"] and _closes(opening["fence"], mark):
            blocks.append((opening.start(), mark.end()))
            opening = None
    if opening is not None and opening["fence"]:
        blocks.append((opening.start(), len(text)))
    return blocks


def _closer(opening: str) -> str | None:
    """Return what closes the formula that ``opening`` begins; None if it begins none."""
    if opening.startswith("\\begin"):
        return opening.replace("\\begin", "\\end", 1)
    return {"$$": "$$", "\\[": "\\]"}.get(opening)


def _closes(fence: str, mark: re.Match[str]) -> bool:
    return mark["fence"][0] == fence[0] and len(mark["fence"]) >= len(fence) and not mark["info"].strip()
