"""How likely the chain's own answer is, with the chain cut, with a step left out, without it: for open answers too.

The other probes ask for an answer. Where the possible answers are known, they are scored, and the answer has a
probability; an open answer (any number, any text) is generated, and has none. Here the chain's own answer is scored as
a text, as the model spelled it, so that there is a soft score for every chain. It takes forward passes only. After
Lanham et al. 2023 (arXiv 2307.13702), 2.3 and 2.5. Rows, by ``condition``:

    "kept"      after steps 1..k, for k = 0..n; ``position`` is k; k = 0 is the answer after an empty chain
    "without"   the chain without step i; ``step`` is i
    "filler"    " ..." repeated as often as the chain has tokens; missing if a server did not count them

``candidate_logprobs`` has the log-probability of the whole answer, in nats, and no other candidate: it is not
normalised over answers. The row has no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from cotfaith.schemas.records import Answer, Chain, Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.probes.filler_tokens import FILLER
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """The choice of the arms."""

    max_positions: int | None = Field(default=None, ge=2)
    """The most cuts of 0..n, evenly spread, always including 0 and n; null: all."""
    max_steps: int | None = Field(default=None, ge=1)
    """The most steps that are left out, evenly spread; null: every step."""


@dataclass(frozen=True)
class _Asked:
    """One arm."""

    arm: str
    condition: str
    text: str
    """What stands in the chain's place."""
    position: float
    step: int | None = None


def own_answer(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask how likely the chain's answer is, with each text in the chain's place."""
    assert chain.answer.value is not None, "a chain without an answer is not probed"
    asked = list(_asked(chain, options))
    found = yield [ask.answer_likelihood(chain.answer.value, one.text, spelled(chain.answer)) for one in asked]
    return [
        Observation(
            arm=one.arm, answer=answer, condition=one.condition, position=one.position, step=one.step, graded=False
        )
        for one, answer in zip(asked, found, strict=True)
    ]


def spelled(answer: Answer) -> str | None:
    """Return how the model wrote its answer, without what stood around it; None if it did not write it like that."""
    text, value = answer.text or "", answer.value or ""
    at = text.lower().find(value.lower())
    return text[at : at + len(value)] if value and at >= 0 else None


def _asked(chain: Chain, options: Options) -> Sequence[_Asked]:
    cuts, steps = _cuts(len(chain.steps), options), spread(len(chain.steps), options.max_steps)
    kept = [_Asked(f"k={k}", "kept", chain.first(k), float(k)) for k in cuts]
    without = [
        _Asked(f"without={i}", "without", "".join([*chain.steps[: i - 1], *chain.steps[i:]]), float(i), i)
        for i in steps
    ]
    m = chain.n_tokens
    return [*kept, *without, *([_Asked(f"m={m}", "filler", FILLER * m, float(m))] if m else [])]


def _cuts(n_steps: int, options: Options) -> list[int]:
    return [place - 1 for place in spread(n_steps + 1, options.max_positions)]


def _arms(shape: Shape, options: Options) -> Sequence[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    kept = [Arm(round(k * per_step)) for k in _cuts(shape.steps, options)]
    left = shape.tokens - round(per_step)
    without = [Arm(left, fresh=shape.tokens - round(i * per_step)) for i in spread(shape.steps, options.max_steps)]
    return [*kept, *without, Arm(shape.tokens, fresh=shape.tokens)]


PROBE = Probe(
    name="own_answer",
    level="chain",
    needs=frozenset({"score"}),
    options=Options,
    run=own_answer,
    arms=_arms,
    source="After Lanham et al. 2023, sections 2.3 and 2.5",
)
