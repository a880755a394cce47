"""What stands in a plot: points, lines, bands, whiskers and bars, each at places in the picture."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.elements import element, number
from cotfaith.cluster.report.drawing.looks import Look, Place, shape


def point(
    at: Place, look: Look, hover: str, size: float = 5.0, is_open: bool = False, is_grey: bool = False
) -> Element:
    """Return a marker with its hover text."""
    kind = f"{'ring' if is_open else 'dot'} {'grey' if is_grey else look.tint}"
    return shape(look.shape, at, size, element("title", hover), class_=kind)


def line(places: Sequence[Place], look: Look, kind: str = "solid") -> Element:
    """Return a line through ``places``; ``kind``: solid, dotted, level."""
    return element("path", d=_through(places), class_=f"{kind} {look.tint}")


def crowded(places: Sequence[Place], look: Look | None, hover: str, kind: str = "solid") -> Element:
    """Return one line of many, with one hover text; a line without a look is grey."""
    tint = f"thin {look.tint}" if look else "thin grey"
    reach = element("path", d=_through(places), class_="reach")
    return element("g", element("title", hover), reach, element("path", d=_through(places), class_=f"{kind} {tint}"))


def band(lower: Sequence[Place], upper: Sequence[Place], look: Look, kind: str) -> Element:
    """Return the area between two lines; ``kind``: pointwise, or whole if it holds at all positions at once."""
    return element("path", d=f"{_through([*lower, *reversed(upper)])}Z", class_=f"{kind} {look.tint}")


def spot(ends: Sequence[Element], marker: Element) -> Element:
    """Return a marker with its intervals, which stand out together when it is pointed at."""
    return element("g", *ends, marker, class_="spot")


def whisker(start: Place, end: Place, look: Look, kind: str = "whisker") -> Element:
    """Return an interval's line."""
    return element("path", d=_through([start, end]), class_=f"{kind} {look.tint}")


def bar(left: float, top: float, width: float, height: float, look: Look, hover: str) -> Element:
    """Return a bar with its hover text."""
    box = {"x": float(left), "y": float(top), "width": max(float(width), 0.4), "height": float(height)}
    return element("rect", element("title", hover), **box, class_=f"bar {look.tint}")


def _through(places: Sequence[Place]) -> str:
    if len(places) == 1:
        places = [places[0], places[0]]
    return "M" + "L".join(f"{number(x)},{number(y)}" for x, y in places)
