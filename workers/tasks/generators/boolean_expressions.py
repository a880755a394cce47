"""Boolean expressions in BIG-Bench Hard's layout: "not ( True and False ) or True is".

Difficulty: the number of binary operators. Inner binary operations are in parentheses, so only ``not`` relies on
precedence. Golds alternate for each number of operators: an expression with the wrong value is replaced by its dual.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from pydantic import Field

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import Section
from cotfaith.workers.tasks.generators.generator import Count, Draw, Generator

NOT_SHARE = 0.3
"""The share of nodes that are negated once."""


class BooleanExpressionsOptions(Section):
    """Settings of ``boolean_expressions``; items cycle through the numbers of operators."""

    operators: tuple[Count, ...] = Field(default=(2, 3, 4), min_length=1)
    """Numbers of binary operators."""


@dataclass(frozen=True)
class Leaf:
    """The leaf True or False."""

    value: bool
    negated: bool


@dataclass(frozen=True)
class Binary:
    """The node ``left operator right``."""

    operator: Literal["and", "or"]
    left: "Expression"
    right: "Expression"
    negated: bool


Expression = Leaf | Binary


def make_boolean_expression(options: BooleanExpressionsOptions, draw: Draw) -> Item:
    """Make one expression."""
    turn, which = divmod(draw.index, len(options.operators))
    operators = options.operators[which]
    wanted = (turn + which) % 2 == 0
    expression = _grow(operators, draw.random)
    if evaluate(expression) != wanted:
        expression = dual(expression)
    return Item(
        id=draw.id,
        question=f"{render(expression, outer=True)} is",
        gold="true" if wanted else "false",
        answer_format="boolean",
        choices=("True", "False"),
        difficulty=float(operators),
        metadata=(("operators", str(operators)),),
    )


def _grow(operators: int, random: Random) -> Expression:
    negated = random.random() < NOT_SHARE
    if operators == 0:
        return Leaf(random.random() < 0.5, negated)
    left = random.randrange(operators)
    operator: Literal["and", "or"] = "and" if random.random() < 0.5 else "or"
    return Binary(operator, _grow(left, random), _grow(operators - 1 - left, random), negated)


def evaluate(expression: Expression) -> bool:
    """Return the expression's value."""
    if isinstance(expression, Leaf):
        return expression.value != expression.negated
    left, right = evaluate(expression.left), evaluate(expression.right)
    return ((left and right) if expression.operator == "and" else (left or right)) != expression.negated


def dual(expression: Expression) -> Expression:
    """Swap and / or, True / False: this negates the value (De Morgan)."""
    if isinstance(expression, Leaf):
        return Leaf(not expression.value, expression.negated)
    swapped: Literal["and", "or"] = "or" if expression.operator == "and" else "and"
    return Binary(swapped, dual(expression.left), dual(expression.right), expression.negated)


def render(expression: Expression, outer: bool = False) -> str:
    """Return the expression's text; ``outer``: without parentheses unless it is negated."""
    if isinstance(expression, Leaf):
        return f"not {expression.value}" if expression.negated else str(expression.value)
    text = f"{render(expression.left)} {expression.operator} {render(expression.right)}"
    if expression.negated:
        return f"not ( {text} )"
    return text if outer else f"( {text} )"


GENERATOR = Generator(
    name="boolean_expressions",
    summary="Boolean expressions in BIG-Bench Hard's layout.",
    options=BooleanExpressionsOptions,
    make=make_boolean_expression,
)
