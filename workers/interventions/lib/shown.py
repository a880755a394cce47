"""How a prompt writes an answer: in prose, in markup, in code.

In: an item and a canonical answer. Out: text. A choice is written as its label, its text, or both; other answers have
one form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cotfaith.schemas.records import Item
from cotfaith.workers.interventions.lib.targets import choice_text, written

Show = Literal["label", "text", "both"]
"""How a choice is written: "(B)", "two moons", "(B) two moons"."""


@dataclass(frozen=True)
class Style:
    """How answers are written into one kind of text."""

    bare: bool = False
    """Write a label as B instead of (B)."""
    quoted: Callable[[str], str] = str
    """The answer's text -> what stands in the prompt: escaped in markup, a literal in code."""


PROSE = Style()


def shown(item: Item, answer: str, show: Show, style: Style) -> str:
    """Return ``answer`` as a prompt writes it."""
    if item.answer_format != "choice":
        return style.quoted(written(item, answer))
    label, text = (answer if style.bare else written(item, answer)), choice_text(item, answer)
    return style.quoted({"label": label, "text": text, "both": f"{written(item, answer)} {text}"}[show])
