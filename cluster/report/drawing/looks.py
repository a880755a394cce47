"""How a series looks in all pictures: a colour and a shape, so that colour is never the only sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from cotfaith.cluster.colours import COLOURS, ON_DARK
from cotfaith.cluster.report.drawing.elements import element, number

Place = tuple[float, float]
"""(x, y) in the picture, y downwards."""
_ARM = 0.32
_POLYGONS: dict[str, Sequence[Place]] = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "diamond": [(0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)],
    "triangle": [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
    "plus": [
        *((-_ARM, -1.15), (_ARM, -1.15), (_ARM, -_ARM), (1.15, -_ARM), (1.15, _ARM), (_ARM, _ARM), (_ARM, 1.15)),
        *((-_ARM, 1.15), (-_ARM, _ARM), (-1.15, _ARM), (-1.15, -_ARM), (-_ARM, -_ARM)),
    ],
    "wedge": [(0, 1.15), (1.1, -0.85), (-1.1, -0.85)],
    "flag": [(-0.9, -1.1), (1.1, 0), (-0.9, 1.1)],
}
SHAPES = ("circle", *_POLYGONS)
"""Seven, and ten colours: 70 series differ, and neighbours differ in both."""


@dataclass(frozen=True)
class Look:
    """The colour (its place in ``COLOURS``) and the shape of one series."""

    colour: int
    shape: str

    @property
    def tint(self) -> str:
        """The CSS class that sets ``--c``."""
        return f"c{self.colour}"


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """Return the look of each series, in order."""
    return {name: Look(i % len(COLOURS), SHAPES[i % len(SHAPES)]) for i, name in enumerate(names)}


def shape(kind: str, at: Place, size: float, *children: Element, **attributes: object) -> Element:
    """Return one marker; ``size``: its half width."""
    x, y = at
    if kind == "circle":
        return element("circle", *children, cx=float(x), cy=float(y), r=float(size), **attributes)
    corners = " ".join(f"{number(x + size * a)},{number(y + size * b)}" for a, b in _POLYGONS[kind])
    return element("polygon", *children, points=corners, **attributes)


def key(look: Look) -> Markup:
    """Return the marker as a small picture, for a legend."""
    drawn = shape(look.shape, (7, 7), 5, class_=f"dot {look.tint}")
    return Markup(tostring(element("svg", drawn, viewBox="0 0 14 14", class_="key", aria_hidden="true"), "unicode"))


def palette() -> str:
    """Return the CSS that gives each colour's class its value, on a light and on a dark ground."""
    light, dark = ("".join(f".c{i}{{--c:{one}}}" for i, one in enumerate(every)) for every in (COLOURS, ON_DARK))
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"
