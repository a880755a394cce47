"""A table of entities with one numeric property, for questions that compare two of them.

In: a file of records, the names of its two columns, and a margin. Out: pairs of entities whose values differ by more
than the margin, drawn without repetition; the first pairs do not depend on how many are drawn. Rows that cannot be
used are left out, with a warning that counts them by reason. Values are exact. Knows nothing about wording.
"""

import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Literal

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.guesses import listed
from cotfaith.workers.tasks.values import Record, columns_of, given, scalar_text
from cotfaith.workers.text.canonical import decimal_number

_LONGEST = 300
"""The most characters of a value."""


@dataclass(frozen=True)
class Entity:
    """One row."""

    name: str
    value: Fraction


@dataclass(frozen=True)
class Margin:
    """How far apart two values must be: more than ``size``, or more than that share of the larger absolute value."""

    size: Fraction
    of: Literal["absolute", "relative"]

    def is_passed(self, low: Entity, high: Entity) -> bool:
        """Return whether two values are no near tie; equal values always are one."""
        scale = max(abs(low.value), abs(high.value)) if self.of == "relative" else 1
        return high.value - low.value > self.size * scale


@dataclass(frozen=True)
class Entities:
    """The entities of a table, from the smallest value to the largest."""

    rows: Sequence[Entity]
    margin: Margin

    @property
    def n_pairs(self) -> int:
        """The number of pairs that are no near ties."""
        return self._ends[-1] if self._ends else 0

    @property
    def span(self) -> Fraction:
        """The largest value minus the smallest."""
        return self.rows[-1].value - self.rows[0].value

    def draw(self, random: Random) -> Iterator[tuple[Entity, Entity]]:
        """Yield all pairs (smaller, larger), each once, in a random order."""
        seen: set[int] = set()
        while len(seen) < self.n_pairs:
            at = random.randrange(self.n_pairs)
            if at not in seen:
                seen.add(at)
                yield self._pair(at)

    def _pair(self, at: int) -> tuple[Entity, Entity]:
        low = bisect_right(self._ends, at)
        return self.rows[low], self.rows[len(self.rows) - (self._ends[low] - at)]

    @cached_property
    def _ends(self) -> list[int]:
        """For each entity, the pairs in which it or one before it is the smaller: the larger ones are at the end."""
        return list(accumulate(len(self.rows) - self._first_above(low) for low in range(len(self.rows))))

    def _first_above(self, low: int) -> int:
        first, last = low + 1, len(self.rows)
        while first < last:
            middle = (first + last) // 2
            if self.margin.is_passed(self.rows[low], self.rows[middle]):
                last = middle
            else:
                first = middle + 1
        return first


def read_entities(path: Path, records: Sequence[Record], name: str, value: str, margin: Margin) -> Entities:
    """Return the entities of a file; warn about rows that are left out.

    Raises:
        TaskError: a column is missing, or no two entities are farther apart than the margin.

    """
    _check_columns(path, records, (name, value))
    left_out: Counter[str] = Counter()
    read = [one for record in records if (one := _entity(record, name, value, path, left_out)) is not None]
    rows = sorted(_once(read, left_out), key=lambda one: (one.value, one.name))
    if left_out:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        warnings.warn(f"{path}: {left_out.total():,} of {len(records):,} rows left out: {reasons}.", stacklevel=2)
    found = Entities(rows, margin)
    if not found.n_pairs:
        raise TaskError(
            f"{path}: none of the pairs of its {len(rows):,} entities differs in {value!r} by more than the margin "
            f"({float(margin.size):g}, {margin.of}). Use a smaller margin, or another file."
        )
    return found


def _check_columns(path: Path, records: Sequence[Record], wanted: Sequence[str]) -> None:
    known = columns_of(records)
    if lost := [column for column in wanted if column not in known]:
        raise TaskError(f"{path}: there is no column {lost[0]!r}; it has the columns {listed(known)}. Fix the options.")


def _entity(record: Record, name: str, value: str, path: Path, left_out: Counter[str]) -> Entity | None:
    """Return the row's entity; None, counted by its reason, if it cannot be used."""
    said = scalar_text(given(record, name, path))
    words, found = " ".join((said or "").split()), given(record, value, path)
    number = decimal_number(found)
    if not words:
        left_out[f"without a text in {name!r}"] += 1
    elif found is None:
        left_out[f"without a value in {value!r}"] += 1
    elif number is None or len(number) > _LONGEST:
        left_out[f"whose {value!r} is no number"] += 1
    else:
        return Entity(words, Fraction(number))
    return None


def _once(read: Iterable[Entity], left_out: Counter[str]) -> Iterator[Entity]:
    """Yield each entity once; one with two values is not known, so all its rows are left out."""
    rows: dict[str, list[Entity]] = {}
    for one in read:
        rows.setdefault(one.name.casefold(), []).append(one)
    for own in rows.values():
        if len({one.value for one in own}) > 1:
            left_out["of entities with several values"] += len(own)
        else:
            left_out.update({"that repeat another": len(own) - 1} if len(own) > 1 else {})
            yield own[0]
