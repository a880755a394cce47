"""Reads the pictures of a report back: where marks are, in the units of the axes, by the labels of the ticks."""

import re
from dataclasses import dataclass
from math import log10
from xml.etree import ElementTree

UNITS = {"%": 0.01, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "": 1.0}
_FIGURE = re.compile(r"<figure>(?:<h4>([^<]*)</h4>)?(<svg .*?</svg>)", re.DOTALL)


@dataclass(frozen=True)
class Spot:
    """A marker: its place in the axes' units (y: in the picture's, if it has no y axis), and what is seen of it."""

    x: float
    y: float
    hover: str
    filled: bool
    tint: str
    corners: int


class Picture:
    """One parsed SVG element."""

    def __init__(self, svg, log=False):
        self.root = ElementTree.fromstring(svg)
        assert (self.root.tag, self.root.get("role")) == ("svg", "img")
        assert [child.tag for child in self.root][:2] == ["title", "desc"]
        assert not re.search(r'="[^"]*\b(nan|inf|None)\b', svg)
        self.width, self.height = (float(side) for side in self.root.get("viewBox").split()[2:])
        self.x = _scale(self.texts("x-tick"), 0, log)
        self.y = _scale(self.texts("y-tick"), 1, False)

    def all(self, *classes):
        """Return the elements that have all these classes."""
        return [one for one in self.root.iter() if {*classes} <= {*one.get("class", "").split()}]

    def texts(self, *classes):
        """Return (x, y, text) of each."""
        texts = [one for one in self.all(*classes) if one.tag == "text"]
        return [(float(one.get("x")), float(one.get("y")), one.text) for one in texts]

    def words(self, *classes):
        return [text for _, _, text in self.texts(*classes)]

    def hovers(self):
        return [one.text for one in self.root.iter("title")][1:]

    def spots(self):
        """Return the markers, without those of the key, which have one line of hover text."""
        return [spot for one in (*self.all("dot"), *self.all("ring")) if "\n" in (spot := self._spot(one)).hover]

    def paths(self, *classes):
        """Return the places of each path with these classes."""
        pairs = [re.findall(r"(-?[\d.]+),(-?[\d.]+)", one.get("d")) for one in self.all(*classes)]
        return [[(self.x(float(x)), self.y(float(y))) for x, y in one] for one in pairs]

    def _spot(self, one):
        kind, tint = one.get("class").split()
        corners = [[float(at) for at in pair.split(",")] for pair in one.get("points", "").split()]
        if corners:
            x, y = ((min(side) + max(side)) / 2 for side in zip(*corners, strict=True))
        else:
            x, y = float(one.get("cx")), float(one.get("cy"))
        return Spot(self.x(x), self.y(y), one.find("title").text, kind == "dot", tint, len(corners))


def _scale(ticks, side, log):
    """Return the function from a coordinate to a value; labels of the y axis stand 4 below their tick."""
    if len(ticks) < 2:
        return float
    places = [tick[side] - 4 * side for tick in (ticks[0], ticks[-1])]
    values = [_number(tick[2]) for tick in (ticks[0], ticks[-1])]
    first, last = ([log10(value) for value in values]) if log else values
    slope = (last - first) / (places[1] - places[0])
    return lambda at: 10 ** (first + slope * (at - places[0])) if log else first + slope * (at - places[0])


def _number(text):
    found = re.fullmatch(r"([-+]?[\d,.]+)([%KMBT]?)", text)
    return float(found.group(1).replace(",", "")) * UNITS[found.group(2)]


def pictures(html, section, title=None):
    """Return the pictures in the page's section with this heading; ``title``: only those with this title."""
    parts = [part for part in re.split("<h[23]>", html) if re.match(f"{re.escape(section)}</h[23]>", part)]
    found = [(name, svg) for part in parts for name, svg in _FIGURE.findall(part)]
    return [Picture(svg) for name, svg in found if title in (None, name)]
