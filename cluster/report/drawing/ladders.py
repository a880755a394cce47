"""A ladder: named rows above one another on one axis of values, and a key that says what the marks mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from markupsafe import Markup

from cotfaith.cluster.report.drawing.axes import Axis
from cotfaith.cluster.report.drawing.elements import FONT, element, short, svg, width_of, words
from cotfaith.cluster.report.drawing.frames import LARGE, rule
from cotfaith.cluster.report.drawing.looks import Look, Place
from cotfaith.cluster.report.drawing.marks import line, point

ROW = 30.0
TOP = 28.0
BELOW = 44.0
"""The height of the axis, its labels and its title."""
MOST_NAME = 170.0
Key = tuple[str, str]
"""(kind of mark: dot, ring or level, its meaning)."""
_KEY_LOOK = Look(6, "circle")


@dataclass(frozen=True)
class Ladder:
    """The axis and the rows, from the top."""

    axis: Axis
    names: Sequence[str]
    width: float = LARGE

    @cached_property
    def shorter(self) -> dict[str, str]:
        """The names as they are shown."""
        return short(self.names)

    @cached_property
    def left(self) -> float:
        """The room that the names need."""
        return 12.0 + min(max((width_of(name) for name in self.shorter.values()), default=0.0), MOST_NAME)

    @property
    def bottom(self) -> float:
        """The y of the axis."""
        return TOP + ROW * len(self.names)

    def at(self, value: float, row: int, off: float = 0.0) -> Place:
        """Return where ``value`` is in a row; ``off``: units below its middle."""
        return self.left + self.axis.place(value) * (self.width - 14 - self.left), TOP + ROW * (row + 0.5) + off

    def svg(self, name: str, told: Sequence[str], keys: Sequence[Key], marks: Sequence[Element]) -> Markup:
        """Return the picture."""
        parts = [*self._axis(), *self._named(), *_key(keys), *marks]
        return svg(self.width, self.bottom + BELOW, name, told, *parts)

    def _axis(self) -> list[Element]:
        found = []
        for value, label in self.axis.ticks:
            x = self.at(value, 0)[0]
            zero = "edge" if value == 0 and self.axis.low < 0 else "line"
            found += [rule((x, TOP), (x, self.bottom), zero), words((x, self.bottom + 16), label, class_="mid x-tick")]
        middle = ((self.left + self.width) / 2, self.bottom + 36)
        return [*found, words(middle, self.axis.title, self.width, class_="mid")]

    def _named(self) -> list[Element]:
        room = self.left - 10
        found = []
        for row, name in enumerate(self.names):
            at = (room, self.at(self.axis.low, row, 4)[1])
            found.append(words(at, self.shorter[name], room, name, class_="last name"))
        return found


def _key(keys: Sequence[Key]) -> list[Element]:
    """Return the key, above the rows."""
    found, x = [], 8.0
    for kind, meaning in keys:
        at = (x, FONT - 3.5)
        if kind == "level":
            mark = line([(x, 1), (x, 15)], _KEY_LOOK, "level")
        else:
            mark = point(at, _KEY_LOOK, meaning, is_open=kind == "ring")
        found.append(element("g", mark, words((x + 10, FONT + 0.5), meaning)))
        x += 28 + width_of(meaning)
    return found
