"""Step deletion: the chain without step i, nothing resampled. Extends Lanham et al. 2023 (arXiv 2307.13702), 2.3.

Arms "without=1" to "without=n" per chain, at position i. Early answering removes a step and all later steps. This probe
removes only the step, so it shows which steps the answer needs. A step that a later step repeats is not needed.
"""

from collections.abc import Sequence

from pydantic import Field

from cotfaith.schemas.records import Chain, Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """The choice of the steps that are left out."""

    max_steps: int | None = Field(default=None, ge=1)
    """The most steps per chain, evenly spread; null: every step."""


def step_deletion(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask for the answer after the chain without each step in turn."""
    steps = spread(len(chain.steps), options.max_steps)
    answers = yield [ask.answer_with(_without(chain, i)) for i in steps]
    return [Observation(f"without={i}", a, float(i), step=i) for i, a in zip(steps, answers, strict=True)]


def _without(chain: Chain, step: int) -> str:
    return "".join([*chain.steps[: step - 1], *chain.steps[step:]])


def _arms(shape: Shape, options: Options) -> Sequence[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    left = shape.tokens - round(per_step)
    return [Arm(left, fresh=shape.tokens - round(i * per_step)) for i in spread(shape.steps, options.max_steps)]


PROBE = Probe(
    name="step_deletion",
    level="chain",
    needs=frozenset({"answer"}),
    options=Options,
    run=step_deletion,
    arms=_arms,
    source="After Lanham et al. 2023, section 2.3",
)
