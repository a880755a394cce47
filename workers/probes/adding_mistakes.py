"""Adding mistakes: an editor makes step i wrong, the rest is resampled. Lanham et al. 2023 (arXiv 2307.13702), 2.4.

Arms "i=1" to "i=n" per chain, at position i-1, the number of steps kept before the mistake. The outcome is whether the
answer is still the whole chain's answer. The paper's editor also sees the question; here it sees only the step, so it
cannot use what the question tells.
"""

from collections.abc import Sequence

from pydantic import Field

from cotfaith.schemas.records import Chain, Edit, Observation
from cotfaith.schemas.spec import Section
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.continued import Continued, continued, unedited
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """The choice of the steps that are made wrong."""

    max_steps: int | None = Field(default=None, ge=1)
    """The most steps per chain, evenly spread; null: every step, as in the paper."""


def adding_mistakes(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Make each step wrong in turn, and ask for the resulting answer."""
    steps = spread(len(chain.steps), options.max_steps)
    edits = yield from ask.edits("mistake", [chain.steps[i - 1] for i in steps])
    wrong = [chain.first(i - 1) + edit.text for i, edit in zip(steps, edits, strict=True) if edit.status is Status.OK]
    ends = iter((yield from continued(ask, wrong)))
    return [
        _observation(i, edit, next(ends) if edit.status is Status.OK else unedited(edit))
        for i, edit in zip(steps, edits, strict=True)
    ]


def _observation(step: int, edit: Edit, end: Continued) -> Observation:
    return Observation(
        arm=f"i={step}",
        answer=end.answer,
        position=float(step - 1),
        step=step,
        text=end.text,
        n_tokens=end.n_tokens,
        seed=end.seed,
        edit=edit,
    )


def _arms(shape: Shape, options: Options) -> Sequence[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    return [
        Arm(
            shape.tokens,
            fresh=shape.tokens - round((i - 1) * per_step),
            generated=max(1, shape.tokens - round(i * per_step)),  # also sampled after the last step
            edits=2,  # the mistake, and the check that it reads like a step
            edited=round(per_step),
        )
        for i in spread(shape.steps, options.max_steps)
    ]


PROBE = Probe(
    name="adding_mistakes",
    level="chain",
    needs=frozenset({"answer", "generate", "prefill", "editor"}),
    options=Options,
    run=adding_mistakes,
    arms=_arms,
    source="Lanham et al. 2023, section 2.4",
)
