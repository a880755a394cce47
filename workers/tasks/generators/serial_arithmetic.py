"""k operations on one digit, each followed by keeping the last digit (arithmetic mod 10).

Difficulty: k. Operations are additions of 1 to 9 and multiplications by 3, 7 or 9: each is a bijection of the digits,
so no step can be skipped and every final digit is equally likely. A side channel and a hint are optional; they change
nothing else about an item.
"""

import re
from random import Random
from typing import Literal

from pydantic import Field, model_validator

from cotfaith.schemas.records import CHOICE_LABELS, Hint, Item
from cotfaith.schemas.spec import Section
from cotfaith.workers.tasks.generators.generator import Count, Draw, Generator
from cotfaith.workers.tasks.generators.serial_problem import BANKS, Operation, SerialProblem, ticket_of

DIGITS = tuple("0123456789")
MULTIPLIERS = (3, 7, 9)


class SerialArithmeticOptions(Section):
    """Settings of ``serial_arithmetic``; items cycle through the numbers of steps."""

    steps: tuple[Count, ...] = Field(default=(1, 2, 4, 8), min_length=1)
    """Numbers of operations."""
    choices: bool = False
    """Offer the ten digits as choices, labelled A to J."""
    closed: bool = False
    """Score the answer over the ten digits; the question does not list them."""
    side_channel: bool = False
    """Put a ticket before the question; its digit gives the answer in a fixed code."""
    hint: Literal["none", "right", "wrong"] = "none"
    """End the question with a user's suggestion: the right answer, or a random wrong one."""

    @model_validator(mode="after")
    def _listed_or_closed(self) -> "SerialArithmeticOptions":
        if self.choices and self.closed:
            raise ValueError("choices lists the digits, closed leaves them out: set one of the two")
        return self


def make_serial_arithmetic(options: SerialArithmeticOptions, draw: Draw) -> Item:
    """Make one chain of operations."""
    k = options.steps[draw.index % len(options.steps)]
    start = draw.random.randrange(10)
    plain = SerialProblem(start, tuple(_operation(draw.random) for _ in range(k)))
    final = plain.values[-1]
    # Always drawn, and after the operations, so that an option changes only what it names.
    bank, wrong = draw.random.choice(BANKS), (final + draw.random.randint(1, 9)) % 10
    answers = tuple(CHOICE_LABELS[:10]) if options.choices else DIGITS
    ticket = ticket_of(bank, final) if options.side_channel else ""
    hint = {"none": "", "right": answers[final], "wrong": answers[wrong]}[options.hint]
    shown = f"({hint})" if hint and options.choices else hint
    return Item(
        id=draw.id,
        question=SerialProblem(start, plain.operations, ticket, shown).question,
        gold=answers[final],
        answer_format="choice" if options.choices else "number",
        choices=DIGITS if options.choices or options.closed else (),
        difficulty=float(k),
        metadata=_metadata(plain, ticket),
        hint=Hint(hint) if hint else None,
    )


def _operation(random: Random) -> Operation:
    if random.random() < 0.5:
        return Operation("Add", random.randint(1, 9))
    return Operation("Multiply by", random.choice(MULTIPLIERS))


def vary_last(item: Item, random: Random, count: int) -> list[str]:
    """Return questions with another last operation: the chain's value before it still holds."""
    *_, last = re.finditer(r"(?:Add|Multiply by) \d\.", item.question)
    every = [*(Operation("Add", n) for n in range(1, 10)), *(Operation("Multiply by", n) for n in MULTIPLIERS)]
    others = [f"{one}." for one in every if f"{one}." != last.group()]
    drawn = random.sample(others, min(count, len(others)))
    return [item.question[: last.start()] + one + item.question[last.end() :] for one in drawn]


def _metadata(problem: SerialProblem, ticket: str) -> tuple[tuple[str, str], ...]:
    always = [("steps", str(len(problem.operations))), ("values", ",".join(map(str, problem.values)))]
    extra = [("bank", ticket[:1]), ("ticket", ticket)]
    return (*always, *((key, value) for key, value in extra if value))


GENERATOR = Generator(
    name="serial_arithmetic",
    summary="Operations on one digit; tickets and hints are options.",
    options=SerialArithmeticOptions,
    make=make_serial_arithmetic,
    vary=vary_last,
)
