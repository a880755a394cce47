"""Names beside points: each where it covers neither a point nor another name; left out where there is no such place."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.elements import FONT, clipped, short, width_of, words
from cotfaith.cluster.report.drawing.looks import Place

Box = tuple[float, float, float, float]
"""(left, top, right, bottom)."""
MANY = 60
"""With more points than these, names may cover some: there is no place that is free of them."""
MOST = 150.0
"""The width at which a name is clipped."""


def labels(points: Sequence[tuple[Place, str]], inside: Box, size: float = 6.0) -> list[Element]:
    """Return the names that have a place; "": a point without a name. ``size``: the half width of a point."""
    taken = [(x - size, y - size, x + size, y + size) for (x, y), _ in points] if len(points) <= MANY else []
    found = []
    shorter = short([name for _, name in points])
    for at, name in ((at, name) for at, name in points if name):
        width = width_of(clipped(shorter[name], MOST))
        spaces = _around(at, size)
        free = next((one for one in spaces if _is_free(_box(*one, width), taken, inside)), None)
        if free is not None:
            place, anchor = free
            taken.append(_box(*free, width))
            found.append(words(place, shorter[name], MOST, name, class_=f"name label {anchor}"))
    return found


def _around(at: Place, size: float) -> Iterator[tuple[Place, str]]:
    """Yield where a name could stand, and its anchor: first at the corners, where it covers no interval."""
    x, y = at
    for far in (0.0, FONT):
        for height in (y - 4 - far, y + FONT + 1 + far):
            yield (x + size + 1, height), "first"
            yield (x - size - 1, height), "last"
        yield (x, y - size - 4 - far), "mid"
        yield (x, y + size + FONT + far), "mid"


def _box(place: Place, anchor: str, width: float) -> Box:
    x, y = place
    left = x - width * {"first": 0.0, "mid": 0.5, "last": 1.0}[anchor]
    return left, y - FONT * 0.85, left + width, y + FONT * 0.25


def _is_free(box: Box, taken: Sequence[Box], inside: Box) -> bool:
    is_inside = box[0] >= inside[0] and box[1] >= inside[1] and box[2] <= inside[2] and box[3] <= inside[3]
    return is_inside and not any(_meet(box, other) for other in taken)


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
