"""The order in which texts are shown, and each text's place in it.

In: a ``Population``, a question. Out: a ``Draw``. Each text has one random number, from (run id, question, hint,
text). So every labeller gets the same order, a resumed session goes on in it, and the texts of any part of the
population, such as one model's, are in random order too: every beginning of it is a simple random sample. (Permanent
random numbers: Ohlsson 1995, "Coordination of samples using permanent random numbers".)

Order "disagreement": the texts on which readers differ come first; they and the others are cells of their own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cotfaith.cluster.labelling.label import Drawn, Question
from cotfaith.cluster.labelling.population import Population, Stratum, TextUnit, UnitKey, by_stratum
from cotfaith.schemas.seeds import derive_seed

_DIGEST = 16  # hex digits


@dataclass(frozen=True)
class Draw:
    """The texts of a run in the order of one question."""

    run_id: str
    question: Question
    population: Population
    apart: bool
    """Whether texts on which readers differ are cells of their own."""

    @cached_property
    def units(self) -> Sequence[TextUnit]:
        """All texts, in random order."""
        return sorted(self.population.units.values(), key=lambda unit: (self._number(unit.key), unit.key))

    def queue(self, wanted: Callable[[Stratum], bool], first: bool) -> list[TextUnit]:
        """Return the texts with a chain in a stratum that is wanted; ``first``: those on which readers differ first."""
        found = [unit for unit in self.units if any(map(wanted, unit.strata))]
        return sorted(found, key=lambda unit: not self.differ(unit)) if first else found

    def differ(self, unit: TextUnit) -> bool:
        """Return whether readers differ on the text."""
        return self.population.differ(unit.key, self.question)

    def places(self, key: UnitKey) -> list[Drawn]:
        """Return the text's place in each of its cells."""
        return self._places[key]

    @cached_property
    def _places(self) -> dict[UnitKey, list[Drawn]]:
        found: dict[UnitKey, list[Drawn]] = {unit.key: [] for unit in self.units}
        for stratum, units in by_stratum(list(self.units)).items():
            for differ, cell in self._cells(units):
                digest = _digest(unit.key for unit in cell)
                for rank, unit in enumerate(cell):
                    found[unit.key].append(_drawn(stratum, differ, rank, len(cell), digest))
        return found

    def _cells(self, units: list[TextUnit]) -> list[tuple[bool | None, list[TextUnit]]]:
        if not self.apart:
            return [(None, units)]
        return [(differ, [unit for unit in units if self.differ(unit) is differ]) for differ in (True, False)]

    def _number(self, key: UnitKey) -> int:
        return derive_seed(self.run_id, "labels", self.question, key.hint, key.text_hash)


def _drawn(stratum: Stratum, differ: bool | None, rank: int, of: int, digest: str) -> Drawn:
    return Drawn(**stratum._asdict(), differ=differ, rank=rank, of=of, population=digest)


def _digest(keys: Iterable[UnitKey]) -> str:
    return sha256("\n".join(key.text_hash for key in keys).encode()).hexdigest()[:_DIGEST]
