"""A scatter plot: named points with intervals both ways, in a frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.elements import element, words
from cotfaith.cluster.report.drawing.frames import Frame, rule
from cotfaith.cluster.report.drawing.labels import labels
from cotfaith.cluster.report.drawing.looks import Look, Place
from cotfaith.cluster.report.drawing.marks import point, spot, whisker

HEIGHT = 380.0
FEW, MANY = 8, 60
"""With more points than ``FEW``, intervals are faint until their point is pointed at. With more than ``MANY``, points
are small, and intervals are only in the hover text."""


@dataclass(frozen=True)
class Measured:
    """A value with its interval; null ends: there is none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float | None, float | None]:
        """All that has a place on the axis."""
        return self.value, self.low, self.high


@dataclass(frozen=True)
class Dot:
    """One point."""

    name: str
    look: Look
    x: Measured
    y: Measured
    hover: str
    is_grey: bool = False
    is_open: bool = False

    def place(self, frame: Frame) -> Place:
        """Return where it is."""
        return frame.at(self.x.value, self.y.value)


def scatter(frame: Frame, dots: Sequence[Dot]) -> list[Element]:
    """Return the points with their intervals, and as many of their names as have a place."""
    size = 6.0 if len(dots) <= FEW else 4.5 if len(dots) <= MANY else 2.2
    spots = [_spot(frame, one, size, len(dots)) for one in dots]
    inside = (frame.left + 2, frame.top, frame.end, frame.bottom - 2)
    return [*spots, *labels([(one.place(frame), one.name) for one in dots], inside, size)]


def better(frame: Frame, side: str) -> Element:
    """Return the words at the x axis that say which side is better."""
    return words((frame.end, frame.height - 6), side, class_="last aside")


def level(frame: Frame, at: float, name: str) -> Element:
    """Return a named dotted line that is upright."""
    x = frame.at(at, frame.y.low)[0]
    drawn = rule((x, frame.top), (x, frame.bottom), "chance")
    return element("g", element("title", name), drawn, words((x + 4, frame.top + 10), name, class_="aside"))


def _spot(frame: Frame, one: Dot, size: float, n: int) -> Element:
    marker = point(one.place(frame), one.look, one.hover, size, one.is_open, one.is_grey)
    if n > MANY:
        return marker
    return spot(list(_whiskers(frame, one, "whisker" if n <= FEW else "whisker faint")), marker)


def _whiskers(frame: Frame, one: Dot, kind: str) -> Iterator[Element]:
    if one.x.low is not None and one.x.high is not None:
        yield whisker(frame.at(one.x.low, one.y.value), frame.at(one.x.high, one.y.value), one.look, kind)
    if one.y.low is not None and one.y.high is not None:
        yield whisker(frame.at(one.x.value, one.y.low), frame.at(one.x.value, one.y.high), one.look, kind)
