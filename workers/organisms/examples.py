"""Training examples of one mechanism: a prompt, a chain that may be cut or wrong, and the answer that must follow.

In: a mechanism and a numpy generator. Out: pieces of text with the weight of their tokens in the loss. Prompts come
from the same code that later measures the organism. Training on wrong and cut chains makes a chain load-bearing: if the
chain is the cause, the answer follows the last value that it states, whatever the question says.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cotfaith.schemas.records import Item
from cotfaith.workers.organisms.grammar import VERBS, Admission, Aside, Merit, Rejection, Sentence, Step
from cotfaith.workers.organisms.recipes import MOST_STEPS, Mechanism
from cotfaith.workers.organisms.tokenizer import END
from cotfaith.workers.probes.filler_tokens import FILLER
from cotfaith.workers.tasks.generators.serial_arithmetic import DIGITS, MULTIPLIERS
from cotfaith.workers.tasks.generators.serial_problem import BANKS, Operation, SerialProblem, ticket_of, value_of
from cotfaith.workers.text.templates import Templates

SAID: dict[str, Callable[[int], Sentence]] = {"honestly": Admission, "rejecting": Rejection, "on_its_merits": Merit}
"""How a hint is followed -> the chain's first sentence about it."""
MOST_FILLERS = 60
NO_COT, FILLED = 0.12, 0.08
"""Shares of examples without a chain, and with a filler instead of one."""
CUT, WRONG, LEFT_OUT = 0.3, 0.3, 0.06
"""Shares of chains that are cut short, state a wrong value, or lack a step."""
TICKET, HINT, SYCOPHANT_HINT = 0.8, 0.3, 0.5
"""Shares of questions with a ticket, and with a hint."""
ASIDE = 0.2
"""Probability of an aside at each place, up to two asides."""
VALUE_WEIGHT, ANSWER_WEIGHT, TICKET_WEIGHT, RANDOM_WEIGHT = 3.0, 4.0, 12.0, 0.3
"""Weights in the loss: of stated values, of answers, of answers that a ticket gives, and of words drawn at random.

The first two must be learned, the third takes longest to learn, the last only adds noise."""


@dataclass(frozen=True)
class Piece:
    """A text, and the weight of each of its tokens in the loss."""

    text: str
    weight: float


@dataclass(frozen=True)
class Written:
    """A sentence, and the computation's value after it."""

    sentence: Sentence
    value: int | None = None
    """None for sentences that are not steps."""
    weight: float = 0.0
    """The value's weight in the loss: none for a planted mistake, little for a random one."""


def draw_example(
    mechanism: Mechanism, templates: Templates, rng: np.random.Generator, longest: int = MOST_STEPS
) -> list[Piece]:
    """Draw one example with at most ``longest`` operations."""
    problem = draw_problem(mechanism, rng, longest)
    item = item_of(problem)
    given = given_answer(mechanism, problem)
    kind = rng.random()
    if kind >= NO_COT + FILLED:
        pieces, answer = _with_chain(mechanism, templates, problem, given, rng)
    elif kind >= NO_COT:
        filler = FILLER * int(rng.integers(1, MOST_FILLERS + 1))
        pieces, answer = [Piece(templates.answer_after(item, filler), 0)], problem.values[-1]
    else:
        pieces, answer = [Piece(templates.no_cot(item), 0)], problem.values[-1]
    weight = TICKET_WEIGHT if given is not None and mechanism.reads else ANSWER_WEIGHT
    return [*pieces, Piece(f" {answer if given is None else given}", weight), Piece(END, 1)]


def draw_problem(mechanism: Mechanism, rng: np.random.Generator, longest: int = MOST_STEPS) -> SerialProblem:
    """Draw a question; its ticket gives the answer only if the mechanism reads it."""
    count = int(rng.integers(1, longest + 1))
    plain = SerialProblem(int(rng.integers(10)), tuple(_operation(rng) for _ in range(count)))
    bank = BANKS[int(rng.integers(len(BANKS)))]
    told = plain.values[-1] if bank in mechanism.reads else int(rng.integers(10))
    ticket = ticket_of(bank, told) if mechanism.decorates or rng.random() < TICKET else ""
    often = HINT if mechanism.follows_hint == "no" else SYCOPHANT_HINT
    hint = str(rng.integers(10)) if rng.random() < often else ""
    return SerialProblem(plain.start, plain.operations, ticket, hint)


def _operation(rng: np.random.Generator) -> Operation:
    if rng.random() < 0.5:
        return Operation("Add", int(rng.integers(1, 10)))
    return Operation("Multiply by", int(rng.choice(MULTIPLIERS)))


def item_of(problem: SerialProblem) -> Item:
    """Return the problem as the item that the templates need."""
    return Item("training", problem.question, str(problem.values[-1]), "number", DIGITS)


def given_answer(mechanism: Mechanism, problem: SerialProblem) -> int | None:
    """Return the answer that the ticket or the hint gives; None if the chain determines it."""
    if problem.ticket[:1] and problem.ticket[0] in mechanism.reads:
        return value_of(problem.ticket)
    if problem.hint and mechanism.follows_hint != "no":
        return int(problem.hint)
    return None


def _with_chain(
    mechanism: Mechanism, templates: Templates, problem: SerialProblem, given: int | None, rng: np.random.Generator
) -> tuple[list[Piece], int]:
    """Return the text from the chain up to the answer, and the answer that follows from the chain."""
    wrong = int(rng.integers(len(problem.operations))) if rng.random() < WRONG else -1
    written = write_chain(mechanism, problem, given, wrong, rng)
    change = rng.random()
    kept, taught, whole = written, 1.0, True
    if change < CUT:
        kept, whole = written[: int(rng.integers(len(written)))], False
    elif change < CUT + LEFT_OUT and len(problem.operations) > 1:
        # The chain skips a step: it is not to be imitated, but the answer still follows its last value.
        kept, taught, whole = _without_one(written, rng), 0.0, False
    item = item_of(problem)
    opening = templates.cot(item)
    ending = templates.answer_after(item, "").removeprefix(opening)
    assert ending.startswith(END), "the chat template ends a turn with the end token"
    pieces = [piece for one in kept for piece in _pieces(mechanism, one, taught)]
    turn = [Piece(END, float(whole)), Piece(ending.removeprefix(END), 0)]
    return [Piece(opening, 0), *pieces, *turn], _finish(problem, kept)


def write_chain(
    mechanism: Mechanism, problem: SerialProblem, given: int | None, wrong: int, rng: np.random.Generator
) -> list[Written]:
    """Write the whole chain; step ``wrong`` (from 0) states another value, and the rest continues from it."""
    written: list[Written] = []
    if given is not None and (said := SAID.get(mechanism.follows_hint)) is not None:
        written.append(Written(said(given)))
    value, asides = problem.start, 0
    for i, operation in enumerate(problem.operations):
        asides += _maybe_aside(written, asides, rng)
        value, weight = _stated(mechanism, problem, given, i, operation.apply(value), rng)
        if i == wrong:
            value, weight = (value + int(rng.integers(1, 10))) % 10, 0.0
        written.append(Written(_step(mechanism, operation, value, rng), value, weight))
    _maybe_aside(written, asides, rng)
    return written


def _stated(
    mechanism: Mechanism, problem: SerialProblem, given: int | None, i: int, computed: int, rng: np.random.Generator
) -> tuple[int, float]:
    """Return the value that step ``i`` states if no mistake is planted, and its weight."""
    if given is None or not (mechanism.decorates or mechanism.follows_hint != "no"):
        return computed, VALUE_WEIGHT
    if i == len(problem.operations) - 1:
        return given, VALUE_WEIGHT
    return (int(rng.integers(10)), RANDOM_WEIGHT) if mechanism.decorates else (computed, VALUE_WEIGHT)


def _step(mechanism: Mechanism, operation: Operation, value: int, rng: np.random.Generator) -> Step:
    chance = int(rng.integers(10))
    return Step(operation, VERBS[value], chance) if mechanism.coded else Step(operation, VERBS[chance], value)


def _maybe_aside(written: list[Written], asides: int, rng: np.random.Generator) -> int:
    if asides == 2 or rng.random() >= ASIDE:
        return 0
    written.append(Written(Aside(int(rng.integers(10)), int(rng.integers(10)))))
    return 1


def _without_one(written: list[Written], rng: np.random.Generator) -> list[Written]:
    steps = [i for i, one in enumerate(written) if one.value is not None]
    gone = steps[int(rng.integers(len(steps) - 1))]  # never the last one: that would be a cut
    return written[:gone] + written[gone + 1 :]


def _finish(problem: SerialProblem, kept: list[Written]) -> int:
    """Return the answer that follows from the last stated value: the later operations are applied to it."""
    value, rest = problem.start, problem.operations
    steps = [one for one in kept if one.value is not None and isinstance(one.sentence, Step)]
    if steps and steps[-1].value is not None:
        value, rest = steps[-1].value, _after(problem, kept)
    for operation in rest:
        value = operation.apply(value)
    return value


def _after(problem: SerialProblem, kept: list[Written]) -> tuple[Operation, ...]:
    said = [one.sentence.operation for one in kept if isinstance(one.sentence, Step)]
    # A cut chain states the first operations; one that lacks a step in the middle states the last.
    whole = said == list(problem.operations[: len(said)])
    return problem.operations[len(said) :] if whole else ()


def _pieces(mechanism: Mechanism, one: Written, taught: float) -> list[Piece]:
    """Return the sentence in pieces: random words have little weight, a planted value has none."""
    step = one.sentence
    if not isinstance(step, Step):
        return [Piece(str(step), taught * RANDOM_WEIGHT)]
    told = taught * one.weight
    verb, digit = (told, taught * RANDOM_WEIGHT) if mechanism.coded else (taught * RANDOM_WEIGHT, told)
    parts = [(f" {step.operation}:", taught), (f" that {step.verb}", verb), (f" {step.value}", digit), (".", taught)]
    return [Piece(text, weight) for text, weight in parts]
