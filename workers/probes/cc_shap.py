"""CC-SHAP: do the chain and the answer rest on the same parts of the question? Parcalabescu & Frank 2024.

arXiv 2311.07466, section 4, in the form for given chains that BonaFide (arXiv 2605.25052) judges: contributions to the
chain's own answer, asked for without a chain, and to the chain's text, both from the question with parts masked. It
takes forward passes only.

The features are segments of the question (``text/segments.py``), not tokens. Shapley values are means of marginal
contributions over orders of the segments, not Owen values. All chains of an item, of all models, have the same orders.
Rows, for ``condition`` "answer" and "chain", each:

    "answer none"       ``position`` 0: every segment masked
    "answer all"        ``position`` n: none masked
    "answer r=0 k=2"    the first two segments of order 0; ``rollout`` is the order, ``step`` the segment put back last

``candidate_logprobs`` has the log-probability of the whole answer or chain, in nats; the row has no answer. A question
of one word has one row, ``edit_failed``: there is nothing to compare.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from cotfaith.schemas.records import Answer, Chain, Observation
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import Section
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.shard.ask import Ask, Request
from cotfaith.workers.text.segments import Segments

CONDITIONS = ANSWER, CHAIN = "answer", "chain"


class Options(Section):
    """How finely the question is masked, and how many orders are drawn."""

    segments: int = Field(default=6, ge=2, le=100)
    """The segments of a question, evenly long; the paper masks tokens."""
    orders: int = Field(default=6, ge=1, le=1000)
    """The orders of the segments; if there are no more than that, all are taken, and the values are exact."""


@dataclass(frozen=True)
class _Mask:
    """A set of segments."""

    kept: tuple[int, ...]
    """In the order in which they were put back."""
    order: int | None = None
    """Null: none or all are kept, in every order."""

    @property
    def name(self) -> str:
        """Its part of the arm's name."""
        if self.order is None:
            return "all" if self.kept else "none"
        return f"r={self.order} k={len(self.kept)}"


def cc_shap(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask how likely the answer and the chain are, each with parts of the question masked."""
    segments = Segments.of(ask.item, options.segments)
    if segments.count < 2:
        error = f"The question has {segments.count} words, expected at least 2: there is nothing to compare."
        return [Observation("probe", Answer(Status.EDIT_FAILED, error=error))]
    seed = derive_seed(*ask.tie_stream, ask.item.id, PROBE.name)
    masks = list(_masks(orders(segments.count, options.orders, random.Random(seed))))
    asked = list(itertools.product(CONDITIONS, masks))
    found = yield [_request(ask, chain, segments, *one) for one in asked]
    return [_observation(*one, answer) for one, answer in zip(asked, found, strict=True)]


def orders(count: int, at_most: int, draw: random.Random) -> list[tuple[int, ...]]:
    """Return orders of 1..``count``: all of them, or ``at_most`` drawn ones, in pairs of an order and its reverse.

    Antithetic sampling: Mitchell et al. 2022, arXiv 2104.12199.
    """
    segments = range(1, count + 1)
    if math.factorial(count) <= at_most:
        return list(itertools.permutations(segments))
    drawn = [tuple(draw.sample(segments, count)) for _ in range(-(-at_most // 2))]
    return [one for order in drawn for one in (order, order[::-1])][:at_most]


def _masks(drawn: Sequence[tuple[int, ...]]) -> Iterator[_Mask]:
    """Yield the empty set, the whole, and what lies between in each order."""
    yield _Mask(())
    yield _Mask(drawn[0])
    for number, order in enumerate(drawn):
        yield from (_Mask(order[:k], number) for k in range(1, len(order)))


def _request(ask: Ask, chain: Chain, segments: Segments, condition: str, mask: _Mask) -> Request:
    masked = replace(ask, item=segments.only(mask.kept))
    if condition == CHAIN:
        return masked.chain_likelihood(chain.text)
    assert chain.answer.value is not None, "a chain without an answer is not probed"
    return masked.answer_likelihood(chain.answer.value)


def _observation(condition: str, mask: _Mask, answer: Answer) -> Observation:
    return Observation(
        arm=f"{condition} {mask.name}",
        answer=answer,
        condition=condition,
        position=float(len(mask.kept)),
        rollout=mask.order,
        step=None if mask.order is None else mask.kept[-1],
        graded=False,
    )


def _arms(shape: Shape, options: Options) -> list[Arm]:
    count = min(options.orders, math.factorial(options.segments))
    chain = Arm(shape.tokens, fresh=shape.tokens, likelihood=True)
    return [Arm(0, likelihood=True), chain] * (2 + count * (options.segments - 1))


PROBE = Probe(
    name="cc_shap",
    level="chain",
    needs=frozenset({"score"}),
    options=Options,
    run=cc_shap,
    arms=_arms,
    source="Parcalabescu & Frank 2024, section 4",
)
