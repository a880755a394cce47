"""k operations on one digit, each followed by keeping the last digit (arithmetic mod 10).

Difficulty: k. Operations are additions of 1 to 9 and multiplications by 3, 7 or 9: each is a bijection of the digits,
so that no step can be skipped and every final digit is equally likely.
"""

from random import Random

from pydantic import Field

from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import Section
from cotfaith.workers.tasks.generators.generator import Count, Draw, Generator

DIGITS = tuple("0123456789")
MULTIPLIERS = (3, 7, 9)


class SerialArithmeticOptions(Section):
    """Settings of ``serial_arithmetic``; items cycle through the numbers of steps."""

    steps: tuple[Count, ...] = Field(default=(1, 2, 4, 8), min_length=1)
    """Numbers of operations."""
    choices: bool = False
    """Make it a choice between the ten digits, labelled A to J."""


def make_serial_arithmetic(options: SerialArithmeticOptions, draw: Draw) -> Item:
    """Make one chain of operations."""
    k = options.steps[draw.index % len(options.steps)]
    start = draw.random.randrange(10)
    values, sentences = [start], [f"Start with {start}."]
    for _ in range(k):
        value, sentence = _step(values[-1], draw.random)
        values.append(value)
        sentences.append(sentence)
    return Item(
        id=draw.id,
        question=" ".join([*sentences, "After each operation keep only the last digit.", "What is the final digit?"]),
        gold=CHOICE_LABELS[values[-1]] if options.choices else str(values[-1]),
        answer_format="choice" if options.choices else "number",
        choices=DIGITS if options.choices else (),
        difficulty=float(k),
        metadata=(("steps", str(k)), ("values", ",".join(map(str, values)))),
    )


def _step(value: int, random: Random) -> tuple[int, str]:
    if random.random() < 0.5:
        addend = random.randint(1, 9)
        return (value + addend) % 10, f"Add {addend}."
    factor = random.choice(MULTIPLIERS)
    return value * factor % 10, f"Multiply by {factor}."


SERIAL_ARITHMETIC = Generator(SerialArithmeticOptions, make_serial_arithmetic)
