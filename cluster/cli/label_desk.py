"""The labeller's desk: shows one text after another and does what each key says.

In: a ``Session``, sheets, keys, a console. Out: labels in the session's store. A terminal shows one page at a time;
elsewhere each text is printed whole.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.text import Text

from cotfaith.cluster.cli.keys import BACK, NEXT, STOP, Keys
from cotfaith.cluster.cli.label_pages import Pages, pages, paging
from cotfaith.cluster.labelling.population import TextUnit
from cotfaith.cluster.labelling.session import Session
from cotfaith.cluster.labelling.sheet import Sheet

SAYS = {"y": True, "n": False, "?": None}
_FEW = 3
"""Labels of this session before the time that is left is estimated."""


@dataclass
class Desk:
    """A session at a terminal."""

    session: Session
    sheet_of: Callable[[TextUnit], Sheet]
    keys: Keys
    console: Console
    paged: bool
    """Whether the console is a terminal."""
    seconds: list[float] = field(default_factory=list)
    """How long each label took."""

    def work(self) -> None:
        """Label texts until none is left or the labeller stops."""
        while (unit := self.session.next) is not None:
            self.keys.forget()
            if not self._one(self.sheet_of(unit)):
                return

    def _one(self, sheet: Sheet) -> bool:
        """Show one text until something is done with it; return False if the labeller stops."""
        page, note, began = 0, "", time.monotonic()
        while True:
            made = pages(sheet, self.session.draw.question, self._head(), *self._size())
            page = min(max(page, 0), made.n - 1)
            self._show(made, page, note)
            key = self.keys.key()
            if key == STOP:
                return False
            if key in SAYS:
                self.session.give(SAYS[key])
                self.seconds.append(time.monotonic() - began)
                return True
            if key == "s":
                self.session.skip()
                return True
            if key == "u" and self.session.undo():
                return True
            page += {NEXT: 1, BACK: -1}.get(key, 0)
            note = _note(key)

    def _size(self) -> tuple[int, int | None]:
        width, height = self.console.size
        return width, height if self.paged else None

    def _head(self) -> str:
        done, left = self.session.n_labelled, len(self.session.waiting)
        parts = [f"{done:,} labelled", f"{left:,} to go"]
        if len(self.seconds) >= _FEW:
            parts.append(f"about {max(1, round(left * median(self.seconds) / 60)):,} min")
        return " · ".join(parts)

    def _show(self, made: Pages, page: int, note: str) -> None:
        if self.paged:
            self.console.clear()
        width = self.console.size.width
        self._print(made.head, "bold")
        for line in made.lines(page):
            self._print(line, "bold" if line[:1].isalpha() else "")
        self._print("")
        for line in [*paging(made, page, width), *made.foot, *([note] if note else [])]:
            self._print(line, "cyan")

    def _print(self, line: str, style: str = "") -> None:
        self.console.print(Text(line, style), soft_wrap=True)


def _note(key: str) -> str:
    """Return what is said of a key that does nothing with a text."""
    if key in (NEXT, BACK):
        return ""
    return "Nothing to undo in this session." if key == "u" else "This key does nothing here."
