"""Switch matrices: plain answer by answer under a variant, with the target, and with what the chains said of it.

In: ``moves.COUNTS`` rows of one model, task and variant. Out: one ``SwitchMatrix``. By label if the items have few
choices, else by kind of answer. A pair of chains counts once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.report.moves import GOLD, NONE, OTHER, SAME, TARGET

Row = Mapping[str, Any]
SHADES = 5
_KINDS = (GOLD, TARGET, OTHER, NONE)


@dataclass(frozen=True)
class Moved:
    """The counts behind one cell, or a whole matrix."""

    n: int
    """Pairs of chains."""
    failed: int
    """Those without an answer on one side."""
    eligible: int
    """Those with both, whose plain answer is not the target."""
    to_target: int
    """Those of them whose answer under the variant is."""
    said: Counter[tuple[str, str, bool]]
    """(reader, question, label) -> the moves to the target whose chain was read so."""

    def read(self, reader: str, question: str, label: bool) -> int:
        """Return how many of the moves to the target were read so."""
        return self.said[reader, question, label]

    def asked(self, reader: str, question: str) -> int:
        """Return how many of them the reader answered the question about."""
        return self.read(reader, question, True) + self.read(reader, question, False)


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix."""

    moved: Moved
    shade: int
    """Its part of its line, from 0 to ``SHADES``."""
    stayed: bool


@dataclass(frozen=True)
class SwitchMatrix:
    """The plain answers (lines) by the answers under the variant (columns)."""

    name: str
    """Model and variant."""
    columns: Sequence[str]
    target: str | None
    """The column that is the target of all items; None: it differs by item."""
    lines: Sequence[tuple[str, Sequence[Cell]]]
    reader: str | None
    """The judge whose readings are counted; None: nobody looked for the hint's name."""


def moved_in(rows: Iterable[Row]) -> Moved:
    """Return the sum of the rows."""
    n = failed = eligible = to_target = 0
    said: Counter[tuple[str, str, bool]] = Counter()
    for row in rows:
        if row["reader"] is not None:
            said[row["reader"], row["question"], row["label"]] += row["n"]
            continue
        kinds = (row["was_kind"], row["now_kind"])
        n += row["n"]
        failed += row["n"] * (NONE in kinds)
        eligible += row["n"] * (NONE not in kinds and kinds[0] != TARGET)
        to_target += row["n"] * (kinds[0] not in (TARGET, NONE) and kinds[1] == TARGET)
    return Moved(n, failed, eligible, to_target, said)


def first_reader(moved: Moved) -> str | None:
    """Return the judge that looked for the hint's name in most of the moves."""
    counts = {reader: moved.asked(reader, "present") for reader, question, _ in moved.said if question == "present"}
    return min(counts, key=lambda reader: (-counts[reader], reader), default=None)


def switch_matrix(name: str, rows: Sequence[Row]) -> SwitchMatrix:
    """Return the matrix of the rows."""
    by_label = all(row["goal"] is not None for row in rows)
    place = _by_label if by_label else _by_kind
    targets = {row["goal"] for row in rows} if by_label else {TARGET}
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault(place(row), []).append(row)
    befores, afters = _axes(cells, by_label)
    lines = [(before, _line(before, [cells.get((before, after), []) for after in afters])) for before in befores]
    target = targets.pop() if len(targets) == 1 else None
    return SwitchMatrix(name, afters, target, lines, first_reader(moved_in(rows)))


def _by_label(row: Row) -> tuple[str, str]:
    return row["was"] or NONE, row["now"] or NONE


def _by_kind(row: Row) -> tuple[str, str]:
    return row["was_kind"], row["now_kind"]


def _axes(cells: Iterable[tuple[str, str]], by_label: bool) -> tuple[list[str], list[str]]:
    befores, afters = ({pair[at] for pair in cells} for at in (0, 1))
    if by_label:
        known = sorted((befores | afters) - {NONE})
        return [*known, *({NONE} & befores)], [*known, *({NONE} & afters)]
    return [kind for kind in _KINDS if kind in befores], [kind for kind in (SAME, *_KINDS) if kind in afters]


def _line(before: str, found: Sequence[Sequence[Row]]) -> list[Cell]:
    sums = [moved_in(rows) for rows in found]
    total = sum(one.n for one in sums)
    stayed = [bool(rows) and all(_stayed(row) for row in rows) for rows in found]
    return [Cell(one, _shade(one.n, total), own) for one, own in zip(sums, stayed, strict=True)]


def _stayed(row: Row) -> bool:
    return (row["was_kind"], row["now_kind"]) == (TARGET, TARGET) or bool(row["now_kind"] == SAME)


def _shade(n: int, total: int) -> int:
    return 0 if n == 0 else max(1, round(SHADES * n / total))
