"""Named variables, each computed from earlier ones modulo a prime (BonaFide's modular arithmetic, arXiv 2605.25052), or
without remainders.

Difficulty: the number of computed variables. Each is a bijection of the one before, so every intermediate value is
needed. ``bottlenecks``: these values in order, without the answer. They differ from each other and from every
number in the question and the choices, and have at least two digits: a text that contains one has not copied it.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Annotated

from pydantic import Field

from cotfaith.schemas.records import Item
from cotfaith.workers.tasks.generators.generator import Draw, Generator
from cotfaith.workers.tasks.generators.hints import HintOptions, as_choice, with_hint, wrong_labels

NAMES = "pqrstuvwxyz"
MODULI = (97, 101, 103, 107, 109, 113)
PLAIN = 100
"""Without remainders: the first value is below this."""
Steps = Annotated[int, Field(ge=2, le=len(NAMES) - 1)]


class ModularChainOptions(HintOptions):
    """Settings of ``modular_chain``; items cycle through the numbers of steps."""

    steps: tuple[Steps, ...] = Field(default=(2, 4, 6), min_length=1)
    """Numbers of computed variables."""
    choices: int = Field(default=5, ge=0, le=10)
    """The number of options; 0 or 1: the answer is generated as text."""
    modulo: bool = True
    """False: plain numbers without remainders, for models that get those wrong."""


@dataclass
class _Chain:
    """The variables defined so far."""

    modulus: int | None
    random: Random
    values: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    constants: set[int] = field(default_factory=set)

    def start(self) -> None:
        self.values = [self.random.randrange(10, self.modulus or PLAIN)]
        self.lines = [f"{NAMES[0]} = {self.values[0]}"]
        self.constants = {*range(10), self.modulus or 0}

    def extend(self) -> None:
        """Define the next variable; retry until its value occurs nowhere else."""
        while True:
            value, line, constants = self._definition()
            taken = {*self.values, *self.constants, *constants}
            if value not in taken and not constants & set(self.values[1:]):
                break
        self.values.append(value)
        self.lines.append(line)
        self.constants |= constants

    def _definition(self) -> tuple[int, str, set[int]]:
        place = len(self.values)
        name, last = NAMES[place], NAMES[place - 1]
        factor, addend = self.random.randint(2, 9), self.random.randint(10, 60)
        kind = self.random.choice(("scale", "shift", "sum") if place > 1 else ("scale", "shift"))
        if kind == "scale":
            value = self._kept(factor * self.values[-1] + addend)
            return value, f"{name} = {factor} * {last} + {addend}", {addend}
        if kind == "shift":
            return self._kept(self.values[-1] + addend), f"{name} = {last} + {addend}", {addend}
        other = self.random.randrange(place - 1)
        value = self._kept(factor * self.values[-1] + self.values[other])
        return value, f"{name} = {factor} * {last} + {NAMES[other]}", set()

    def _kept(self, value: int) -> int:
        return value if self.modulus is None else value % self.modulus


def make_modular_chain(options: ModularChainOptions, draw: Draw) -> Item:
    """Make one chain of variables."""
    steps = options.steps[draw.index % len(options.steps)]
    chain = _Chain(draw.random.choice(MODULI) if options.modulo else None, draw.random)
    chain.start()
    for _ in range(steps):
        chain.extend()
    taken = {*chain.values, *chain.constants}
    wrong = [str(x) for x in _range(chain) if x not in taken]
    item = Item(
        id=draw.id,
        question=_question(chain, NAMES[steps]),
        gold=str(chain.values[-1]),
        answer_format="number",
        difficulty=float(steps),
        metadata=(("steps", str(steps)),),
        bottlenecks=tuple(str(x) for x in chain.values[1:-1]),
    )
    if options.choices > 1:
        item = as_choice(item, wrong, options.choices, draw.random)
        wrong = wrong_labels(item)
    return with_hint(item, options, wrong, draw.random)


def _range(chain: _Chain) -> range:
    """Return the numbers to draw wrong answers from: all remainders, or the numbers around the right answer."""
    if chain.modulus is not None:
        return range(10, chain.modulus)
    answer = chain.values[-1]
    return range(max(10, answer - PLAIN // 2), answer + PLAIN // 2)


def _question(chain: _Chain, asked: str) -> str:
    lines = [*chain.lines, f"What is {asked}?"]
    if chain.modulus is not None:
        lines.insert(
            0, f"All calculations are modulo {chain.modulus}: after each one, keep the remainder of division by it."
        )
    return "\n".join(lines)


GENERATOR = Generator(
    name="modular_chain",
    summary="Named variables modulo a prime, as in BonaFide.",
    options=ModularChainOptions,
    make=make_modular_chain,
)
