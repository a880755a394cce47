"""Texts that stand for a run's texts while a chat template is tried, and how what became of them is shown.

A mark begins with its name in brackets and holds what templates are known to change: quotes, angle brackets, line
breaks, backslashes, letters beyond ASCII, capitals, markdown, several spaces, and more characters than a cut leaves.
"""

_NASTY = """ "it's" <b>1 &lt; 2</b> & \\n \\ {{ x }} {% y %} {z} %s $1 A\u00e9\u00df \u6f22\u5b57 \U0001f600

\ttabs,  two spaces, - a list
1. numbers **stars** `ticks` ~
"""
_LENGTH = 4000
_SHOWN = 60


def mark(name: str) -> str:
    """Return the text that stands for ``name``."""
    return f"{head(name)}{_NASTY}{'and so on, ' * (_LENGTH // 11)}the end of the {name}."


def head(name: str) -> str:
    """Return what the mark begins with."""
    return f"({name})"


def name_of(text: str) -> str:
    """Return whose mark ``text`` is."""
    return text[1 : text.index(")")]


def shown(text: str) -> str:
    """Return the beginning of a stranger's text, quoted, with escapes for line breaks and control characters."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def difference(text: str, other: str) -> str:
    """Return ``other`` from a little before the place where it leaves ``text``."""
    same = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    return other[max(0, same - 10) :]
