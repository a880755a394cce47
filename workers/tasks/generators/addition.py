"""Sums of several numbers: 2, 4, 8 or 16 operands of 2 or 3 digits (Lanham et al. 2023, arXiv 2307.13702).

Difficulty: the number of operands. With ``choices``, the sum's rank among the options is uniform, so neither its
position nor its size relative to the other options reveals it.
"""

from itertools import product
from random import Random

from pydantic import Field, field_validator

from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import Section
from cotfaith.workers.tasks.generators.generator import Count, Draw, Generator

OFFSETS = tuple(d * 10**p for p in range(3) for d in range(1, 10))
"""Distances of wrong options from the sum: one digit added wrongly."""


class AdditionOptions(Section):
    """Settings of ``addition``; items cycle through operands x digits."""

    operands: tuple[Count, ...] = Field(default=(2, 4, 8, 16), min_length=1)
    """Numbers of operands."""
    digits: tuple[Count, ...] = Field(default=(2, 3), min_length=1)
    """Numbers of digits of each operand."""
    choices: int = 0
    """0: the answer is generated as text. 2 to 26: that many choices."""

    @field_validator("operands")
    @classmethod
    def _a_sum(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 2:
            raise ValueError("a sum needs at least 2 operands")
        return value

    @field_validator("choices")
    @classmethod
    def _none_or_some(cls, value: int) -> int:
        if value and not 2 <= value <= len(CHOICE_LABELS):
            raise ValueError(f"expected 0 (no choices) or 2 to {len(CHOICE_LABELS)}")
        return value


def make_addition(options: AdditionOptions, draw: Draw) -> Item:
    """Make one sum."""
    cases = list(product(options.operands, options.digits))
    operands, digits = cases[draw.index % len(cases)]
    numbers = [draw.random.randint(10 ** (digits - 1), 10**digits - 1) for _ in range(operands)]
    gold = str(sum(numbers))
    choices = _choices(sum(numbers), options.choices, draw.random) if options.choices else ()
    return Item(
        id=draw.id,
        question=f"What is {' + '.join(map(str, numbers))}?",
        gold=CHOICE_LABELS[choices.index(gold)] if choices else gold,
        answer_format="choice" if choices else "number",
        choices=choices,
        difficulty=float(operands),
        metadata=(("operands", str(operands)), ("digits", str(digits)), ("numbers", ",".join(map(str, numbers)))),
    )


def vary_last(item: Item, random: Random, count: int) -> list[str]:
    """Return questions with another last number, of as many digits: the chain's sum before it still holds."""
    *before, last = item.question.removesuffix("?").split(" + ")
    low = 10 ** (len(last) - 1)
    drawn = random.sample(range(low, 10 * low), min(count + 1, 9 * low))
    others = [number for number in drawn if number != int(last)]
    return [" + ".join([*before, f"{one}?"]) for one in others[:count]]


def _choices(total: int, k: int, random: Random) -> tuple[str, ...]:
    below = [total - d for d in OFFSETS if d < total]
    low = random.sample(below, min(random.randrange(k), len(below)))
    high = random.sample([total + d for d in OFFSETS], k - 1 - len(low))
    values = [total, *low, *high]
    random.shuffle(values)
    return tuple(map(str, values))


GENERATOR = Generator(
    name="addition",
    summary="Sums of 2 to 16 numbers. Lanham et al. 2023.",
    options=AdditionOptions,
    make=make_addition,
    vary=lambda item, random, count: [] if item.choices else vary_last(item, random, count),
)
