"""A matrix of shares: a cell for each pair of names, darker for more, with its number in percent.

A cell that is not there is left empty; one without a value has a dash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from markupsafe import Markup

from cotfaith.cluster.report.drawing.elements import FONT, element, short, svg, width_of, words
from cotfaith.cluster.report.drawing.frames import LARGE
from cotfaith.cluster.report.drawing.looks import Place

MOST_CELL, LEAST_CELL, ROW = 64.0, 30.0, 26.0
MOST_NAME = 150.0
DARK = 0.55
"""From this value on, the number has the colour of the ground."""


@dataclass(frozen=True)
class Heat:
    """The matrix; keys are (row, column)."""

    columns: Sequence[str]
    rows: Sequence[str]
    values: Mapping[tuple[str, str], float | None]
    hovers: Mapping[tuple[str, str], str]
    titles: tuple[str, str]
    """Of the columns and of the rows."""

    @cached_property
    def shorter(self) -> dict[str, str]:
        """The names as they are shown."""
        return short(sorted({*self.rows, *self.columns}))

    @cached_property
    def left(self) -> float:
        """The room that the names of the rows need."""
        return 10 + min(max(width_of(self.shorter.get(one, one)) for one in [*self.rows, self.titles[1]]), MOST_NAME)

    @cached_property
    def slant(self) -> float:
        """The length of the names of the columns, which are slanted."""
        return min(max(width_of(self.shorter[one]) for one in self.columns), MOST_NAME)

    @property
    def right(self) -> float:
        """The room that they need on the right."""
        return 0.82 * self.slant

    @cached_property
    def top(self) -> float:
        """The room that they need above the cells."""
        return 34 + 0.6 * self.slant

    @cached_property
    def cell(self) -> float:
        """The width of a cell."""
        return min(MOST_CELL, max(LEAST_CELL, (LARGE - self.right - self.left) / len(self.columns)))

    def svg(self, name: str) -> Markup:
        """Return the picture."""
        width = max(LARGE, self.left + self.cell * len(self.columns) + self.right)
        height = self.top + ROW * len(self.rows) + 6
        cells = [self._cell(*at) for at in self.values]
        return svg(width, height, name, [*self.hovers.values()], *self._titles(), *self._names(), *cells)

    def _titles(self) -> list[Element]:
        above = words((self.left, FONT), f"{self.titles[0]} →", class_="aside")
        return [above, words((self.left - 8, self.top - 8), f"{self.titles[1]} ↓", class_="last aside")]

    def _names(self) -> list[Element]:
        found = [
            self._name(one, (self.left - 8, self.top + ROW * (at + 0.5) + 4), class_="last name")
            for at, one in enumerate(self.rows)
        ]
        for at, one in enumerate(self.columns):
            x, y = self.left + self.cell * (at + 0.5), self.top - 6
            found.append(self._name(one, (x, y), class_="name", transform=f"rotate(-35 {x:.1f} {y:.1f})"))
        return found

    def _name(self, one: str, at: Place, **attributes: object) -> Element:
        return words(at, self.shorter[one], MOST_NAME, one, **attributes)

    def _cell(self, row: str, column: str) -> Element:
        value = self.values[row, column]
        shade = 0.0 if value is None else min(max(value, 0.0), 1.0)
        x, y = self.left + self.cell * self.columns.index(column), self.top + ROW * self.rows.index(row)
        box = {"x": x + 1, "y": y + 1, "width": self.cell - 2, "height": ROW - 2, "rx": 3}
        drawn = element("rect", **box, class_="cell", fill_opacity=f"{0.06 + 0.94 * shade:.2f}")
        number = "–" if value is None else f"{100 * value:.0f}"
        text = words((x + self.cell / 2, y + ROW / 2 + 4), number, class_=f"mid {'over' if shade >= DARK else 'name'}")
        return element("g", element("title", self.hovers[row, column]), drawn, text)
