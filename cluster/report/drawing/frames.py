"""A plot's frame: two axes around a rectangle, with grid, ticks and titles; it places values in the picture."""

from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.axes import Axis
from cotfaith.cluster.report.drawing.elements import FONT, element, width_of, words
from cotfaith.cluster.report.drawing.looks import Place

SMALL, LARGE = 320.0, 480.0
"""The widths of pictures; both are readable on a phone."""


@dataclass(frozen=True)
class Frame:
    """The rectangle of the values, and its axes. The y axis's title stands above it."""

    x: Axis
    y: Axis
    width: float = SMALL
    height: float = 230.0
    right: float = 12.0
    """The margin on the right."""

    @cached_property
    def left(self) -> float:
        """The margin that the labels of the y axis need."""
        return 10.0 + max((width_of(label) for _, label in self.y.ticks), default=0.0)

    @property
    def top(self) -> float:
        """The margin that the title of the y axis needs."""
        return 24.0 if self.y.title else 8.0

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.height - (42.0 if self.x.title else 24.0)

    @property
    def end(self) -> float:
        """The x of the right edge."""
        return self.width - self.right

    def at(self, x: float, y: float) -> Place:
        """Return where the values are in the picture."""
        across, up = self.x.place(x), self.y.place(y)
        return self.left + across * (self.end - self.left), self.bottom - up * (self.bottom - self.top)

    def drawn(self) -> Element:
        """Return the axes."""
        edge = rule((self.left, self.bottom), (self.end, self.bottom), "edge")
        return element("g", *self._across(), *self._up(), edge, *self._titles(), class_="axes")

    def _up(self) -> list[Element]:
        found = []
        for value, label in self.y.ticks:
            y = self.at(self.x.low, value)[1]
            found.append(rule((self.left, y), (self.end, y), "line"))
            found.append(words((self.left - 6, y + 4), label, class_="last y-tick"))
        return found

    def _across(self) -> list[Element]:
        found: list[Element] = []
        taken = 0.0
        for value, label in self.x.ticks:
            x, half = self.at(value, self.y.low)[0], width_of(label) / 2
            found.append(rule((x, self.bottom), (x, self.bottom + 4), "edge"))
            if x - half >= taken:
                found.append(words((x, self.bottom + 16), label, class_="mid x-tick"))
                taken = x + half + 4
        return found

    def _titles(self) -> list[Element]:
        middle = ((self.left + self.end) / 2, self.height - 6)
        below = [words(middle, self.x.title, self.width, class_="mid")] if self.x.title else []
        return below + ([words((2, FONT), self.y.title, self.width)] if self.y.title else [])


def rule(start: Place, end: Place, kind: str, *children: Element) -> Element:
    """Return a straight line; ``kind``: its CSS class."""
    (x1, y1), (x2, y2) = start, end
    return element("line", *children, x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)
