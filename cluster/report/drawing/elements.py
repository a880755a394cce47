"""SVG elements with untrusted text made safe: escaped, on one line, with marks for what cannot be seen in it."""

import re
import unicodedata
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from cotfaith.cluster.terminal import plain_text

_OWNED = re.compile(r"^(?:[\w.-]+/)+([^/]+)$")
FONT = 11.5
"""The size of labels; ``figures.css`` sets the same."""
MOST_TOLD = 40


def element(tag: str, *children: Element | str, **attributes: object) -> Element:
    """Return an element; text comes before other children. ``class_``: the attribute ``class``; None: left out."""
    known = {name.rstrip("_").replace("_", "-"): _value(one) for name, one in attributes.items() if one is not None}
    made = Element(tag, known)
    for child in children:
        if isinstance(child, str):
            made.text = (made.text or "") + plain_text(child)
        else:
            made.append(child)
    return made


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def number(value: float) -> str:
    """Return a coordinate, to a tenth of a unit."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def svg(width: float, height: float, name: str, told: Sequence[str], *children: Element) -> Markup:
    """Return a whole picture; a screen reader says ``name`` and the first ``MOST_TOLD`` of ``told``."""
    more = [f"and {len(told) - MOST_TOLD:,} more"] * (len(told) > MOST_TOLD)
    said = "; ".join([*(one_line(text.replace("\n", ", ")) for text in told[:MOST_TOLD]), *more])
    about = [element("title", one_line(name)), element("desc", said)]
    box = f"0 0 {number(width)} {number(height)}"
    return Markup(tostring(element("svg", *about, *children, viewBox=box, class_="drawing", role="img"), "unicode"))


def words(
    at: tuple[float, float], text: str, room: float | None = None, whole: str = "", **attributes: object
) -> Element:
    """Return a line of text at its baseline, clipped where it needs more than ``room``.

    ``whole``: what ``text`` is short for, "" if it is not. It is hover text where it says more than what is shown.
    """
    line, more = one_line(text), one_line(whole or text)
    shown = line if room is None else clipped(line, room)
    rest = [] if shown == more else [element("title", more)]
    return element("text", shown, *rest, x=float(at[0]), y=float(at[1]), **attributes)


def one_line(text: str) -> str:
    """Return ``text`` with marks for unseen characters and without line breaks."""
    return " ".join(plain_text(text).split())


def short(names: Sequence[str]) -> dict[str, str]:
    """Return each name without its owner or folders, as "b" for "a/b", if all are still told apart."""
    found = {name: _OWNED.sub(r"\1", name) for name in names}
    return found if len({*found.values()}) == len(found) else {name: name for name in names}


def width_of(text: str, size: float = FONT) -> float:
    """Return about how wide ``text`` is: a little more than in the usual fonts."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return size * (0.56 * len(text) + 0.5 * wide)


def clipped(text: str, room: float, size: float = FONT) -> str:
    """Return ``text``, or its beginning and its end with an ellipsis between them."""
    if width_of(text, size) <= room:
        return text
    most = len(text) - 1
    while most > 2 and width_of(_ends(text, most), size) > room:
        most -= 1
    return _ends(text, most)


def _ends(text: str, most: int) -> str:
    first = (most + 1) // 2
    return f"{text[:first]}…{text[len(text) - (most - first) :]}"
