"""One answer's cells, field by field: texts, words and names. What cannot be read is noted as a problem."""

import re

from cotfaith.cluster.imports.paired.cells import Cells
from cotfaith.cluster.imports.paired.problems import Problems
from cotfaith.schemas.keys import NAME_PATTERN
from cotfaith.workers.tasks.values import scalar_text


class Fields:
    """Reads an answer's fields; ``sound`` is false once there was a problem."""

    def __init__(self, cells: Cells, problems: Problems) -> None:
        self.cells, self._problems = cells, problems
        self.sound = True

    def problem(self, kind: str, way: str) -> None:
        """Note a problem of this record."""
        self.sound = False
        self._problems.add(kind, self.cells.at, way)

    def text(self, name: str) -> str | None:
        """Return a text as it is; None: there is none."""
        value = self.cells.values.get(name)
        if value is not None and not isinstance(value, str):
            self.problem(f"{name} is no text", f"Map {name} to a column of texts")
            return None
        return value

    def word(self, name: str) -> str | None:
        """Return a text or number as text, without space around it; None: there is none."""
        value = self.cells.values.get(name)
        text = scalar_text(str(value).lower() if isinstance(value, bool) else value)
        if value is not None and text is None:
            self.problem(f"{name} is neither a text nor a number", f"Map {name} to another column")
        return None if text is None else text.strip() or None

    def name(self, name: str) -> str:
        """Return a name that keys can have; "" if there is none."""
        text = self.word(name)
        if text is None:
            self.problem(f"{name} is missing", f"Fill it, or use --set {name}=NAME")
        elif not re.fullmatch(NAME_PATTERN, text):
            self.problem(
                f"{name} {text!r} is no name",
                "Names have at most 100 letters, digits, '.', '_' and '-', and begin with a letter or digit. Change it "
                f"with words in --mapping, such as words: {{COLUMN: {{{text}: NAME}}}}",
            )
        return text or ""
