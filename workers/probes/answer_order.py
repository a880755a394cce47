"""Answer order: how much a no-CoT answer depends on the choice's letter. Bentham et al. 2024 (arXiv 2402.14897).

For plain multiple-choice items; other items have no rows: what an intervention says of choice (B) would be about
another choice after a shuffle. Arms per item, for each shuffle r:

    "none"          no CoT, the item's own order
    "once r=0"      no CoT, another order P
    "once r=0 cot"  after a chain sampled under P (``text``); left out without ``with_chain``, and for supplied chains
    "twice r=0"     no CoT, a third order Q (with two choices the item's own again)

``condition`` is "none", "once", "once_cot" or "twice". ``answer`` is the choice's letter in the item's own order, in
every arm, and so are ``candidates``. ``shown_choices`` is the order as shown: C, A, B shows choice C at (A). So the
letter that the model saw is the one at the place of ``answer`` in ``shown_choices``. N, the letter-bias normaliser, is
the share of "once" arms whose seen letter is that of "none". The reference of the arms "once" and "twice" of shuffle r
is the answer of its chain, so ``same_answer`` compares the choices with and without CoT, in the same order and in
different orders. For "none", the item's chains are the reference.
"""

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from cotfaith.schemas.records import Answer, Chain, Observation
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import Section
from cotfaith.workers.probes.lib.choice_order import Order
from cotfaith.workers.probes.lib.continued import Continued, continued
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.shard.ask import Ask, Request


class Options(Section):
    """The number of shuffles, and whether chains are sampled."""

    shuffles: int = Field(default=1, ge=1)
    """How often the choices are shuffled, each time independently; the paper shuffles once."""
    with_chain: bool = True
    """Sample a chain under each shuffle for comparison. False: only N, at the cost of single answers."""


@dataclass(frozen=True)
class _Shuffle:
    """One shuffle: two orders."""

    number: int
    once: Order
    twice: Order

    @property
    def arms(self) -> dict[str, Order]:
        return {f"once r={self.number}": self.once, f"twice r={self.number}": self.twice}


def answer_order(chains: Sequence[Chain], ask: Ask, options: Options) -> ProbeRun:
    """Ask without CoT in each order, and after a new chain in each shuffle's first order."""
    own = Order.own_of(ask.item)
    shuffles = [_shuffle(own, number, ask) for number in range(options.shuffles)]
    orders = {"none": own} | {arm: order for shuffle in shuffles for arm, order in shuffle.arms.items()}
    answers = yield [_in_order(ask, order, arm).answer_without_cot() for arm, order in orders.items()]
    plain = {arm: orders[arm].own_letters(answer) for arm, answer in zip(orders, answers, strict=True)}
    rows = [_observation("none", "none", own, plain["none"])]
    with_chain = options.with_chain and ask.item.supplied is None
    for shuffle in shuffles:
        chain = (yield from _chain(shuffle, ask)) if with_chain else None
        rows += _rows(shuffle, plain, chain)
    return rows


def _shuffle(own: Order, number: int, ask: Ask) -> _Shuffle:
    """Draw an order other than the item's own, and another that is neither, if there are enough orders."""
    draw = random.Random(derive_seed(*ask.stream, "shuffle", number))
    once = own.shuffled(draw, {own})
    return _Shuffle(number, once, own.shuffled(draw, {own, once} if len(own.places) > 2 else {once}))


def _in_order(ask: Ask, order: Order, arm: str) -> Ask:
    """Return an ``Ask`` about the item in that order, with a separate random stream."""
    return replace(ask, item=order.shown(ask.item), stream=(*ask.stream, arm))


def _chain(shuffle: _Shuffle, ask: Ask) -> Generator[list[Request], list[Any], Continued]:
    (chain,) = yield from continued(_in_order(ask, shuffle.once, f"once r={shuffle.number} cot"), [""])
    return replace(chain, answer=shuffle.once.own_letters(chain.answer))


def _rows(shuffle: _Shuffle, plain: dict[str, Answer], chain: Continued | None) -> list[Observation]:
    rows = [
        _observation(arm, condition, order, plain[arm], shuffle.number, chain.answer if chain else None)
        for (arm, order), condition in zip(shuffle.arms.items(), ("once", "twice"), strict=True)
    ]
    if chain is None:
        return rows
    cot = _observation(f"once r={shuffle.number} cot", "once_cot", shuffle.once, chain.answer, shuffle.number)
    return [*rows, replace(cot, text=chain.text, n_tokens=chain.n_tokens, seed=chain.seed)]


def _observation(
    arm: str,
    condition: str,
    order: Order,
    answer: Answer,
    rollout: int | None = None,
    reference: Answer | None = None,
) -> Observation:
    return Observation(
        arm=arm,
        answer=answer,
        condition=condition,
        rollout=rollout,
        reference=reference,
        shown_choices=tuple(order.letters),
    )


def _arms(shape: Shape, options: Options) -> list[Arm]:
    chain = [Arm(shape.tokens, fresh=shape.tokens, generated=shape.tokens)] if options.with_chain else []
    return [Arm(0), *[arm for _ in range(options.shuffles) for arm in (Arm(0), Arm(0), *chain)]]


PROBE = Probe(
    name="answer_order",
    level="item",
    needs=frozenset({"answer", "generate"}),
    options=Options,
    run=answer_order,
    arms=_arms,
    source="Bentham et al. 2024",
    applies=lambda item: item.variant is None and item.answer_format == "choice" and len(item.choices) > 1,
)
