"""What is wrong with records, gathered, so that one message names every kind with its first places."""

from collections import defaultdict

from cotfaith.schemas.errors import TaskError

_SHOWN = 3


class Problems:
    """Kinds of problems, each with the records that have it."""

    def __init__(self) -> None:
        self._places: defaultdict[str, dict[str, None]] = defaultdict(dict)  # in order, each record once
        self._ways: dict[str, str] = {}

    def add(self, kind: str, place: str, way: str) -> None:
        """Note a problem; ``way``: what to do about all problems of this kind."""
        self._places[kind][place] = None
        self._ways[kind] = way

    def check(self) -> None:
        """Raise ``TaskError`` if there is any problem."""
        if self._places:
            raise TaskError("\n".join(self._line(kind) for kind in self._places))

    def _line(self, kind: str) -> str:
        places = list(self._places[kind])
        more = f", and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        return f"{kind}, in {len(places):,} records: {'; '.join(places[:_SHOWN])}{more}. {self._ways[kind]}"
