"""Names beside points: each where it covers neither a point nor another name; left out where there is no such place."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from cotfaith.cluster.report.drawing.elements import FONT, clipped, width_of, words
from cotfaith.cluster.report.drawing.looks import Place

Box = tuple[float, float, float, float]
"""(left, top, right, bottom)."""
MOST = 150.0
"""The width at which a name is clipped."""


def short(names: Sequence[str]) -> dict[str, str]:
    """Return each name without what stands before its last slash, if all are still told apart."""
    found = {name: name.rpartition("/")[2] or name for name in names}
    return found if len({*found.values()}) == len(found) else {name: name for name in names}


def labels(points: Sequence[tuple[Place, str]], inside: Box, size: float = 6.0) -> list[Element]:
    """Return the names that have a place; "": a point without a name. ``size``: the half width of a point."""
    taken = [(x - size, y - size, x + size, y + size) for (x, y), _ in points]
    found = []
    for at, name in ((at, name) for at, name in points if name):
        width = width_of(clipped(name, MOST))
        free = (place for place in _around(at, width, size) if _is_free(_box(place, width), taken, inside))
        place = next(free, None)
        if place is not None:
            taken.append(_box(place, width))
            found.append(words(place, name, MOST, class_="name label"))
    return found


def _around(at: Place, width: float, size: float) -> Iterator[Place]:
    """Yield where a name could begin: right, left, above, below, then at the corners and further away."""
    x, y = at
    for far in (0.0, FONT, 2 * FONT):
        right, left, up, down = x + size + 3, x - size - 3 - width, y - size - 4 - far, y + size + FONT + far
        if not far:
            yield right, y + 4
            yield left, y + 4
        for height in (up, down):
            for start in (x - width / 2, right, left):
                yield start, height


def _box(place: Place, width: float) -> Box:
    x, y = place
    return x, y - FONT * 0.85, x + width, y + FONT * 0.25


def _is_free(box: Box, taken: Sequence[Box], inside: Box) -> bool:
    is_inside = box[0] >= inside[0] and box[1] >= inside[1] and box[2] <= inside[2] and box[3] <= inside[3]
    return is_inside and not any(_meet(box, other) for other in taken)


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
