"""Placeholders for a run's texts while a chat template is tested, and how changes to them are shown.

A mark begins with its name in brackets and contains what templates are known to change: quotes, angle brackets, line
breaks, backslashes, non-ASCII letters, capitals, markdown, several spaces, and enough characters to reveal a length
limit.
"""

_NASTY = """ "it's" <b>1 &lt; 2</b> & \\n \\ {{ x }} {% y %} {z} %s $1 A\u00e9\u00df \u6f22\u5b57 \U0001f600

\ttabs,  two spaces, - a list
1. numbers **stars** `ticks` ~
"""
_LENGTH = 4000
_SHOWN = 60


def mark(name: str) -> str:
    """Return the placeholder for ``name``."""
    return f"{head(name)}{_NASTY}{'and so on, ' * (_LENGTH // 11)}the end of the {name}."


def head(name: str) -> str:
    """Return the beginning of the mark of ``name``."""
    return f"({name})"


def name_of(text: str) -> str:
    """Return the name of the mark ``text``."""
    return text[1 : text.index(")")]


def shown(text: str) -> str:
    """Return the beginning of an untrusted text, quoted, with escapes for line breaks and control characters."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def difference(text: str, other: str) -> str:
    """Return ``other`` from shortly before the place where it first differs from ``text``."""
    same = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    return other[max(0, same - 10) :]
