"""Early answering: keep steps 1..k, ask for the answer. Lanham et al. 2023 (arXiv 2307.13702), section 2.3.

Arms "k=0" to "k=n" per chain, at position k. The outcome is whether the answer is the one the whole chain gives; the
area over that curve (AOC) says how much of the answer is made in the chain.
"""

from cotfaith.schemas.records import Chain, Observation
from cotfaith.workers.ask import Ask
from cotfaith.workers.probes.base import Arm, NoOptions, Probe, ProbeRun, Shape


def early_answering(chain: Chain, ask: Ask, options: NoOptions) -> ProbeRun:
    """Ask for the answer after each number of steps."""
    answers = yield [ask.answer_after(chain, steps=k) for k in range(len(chain.steps) + 1)]
    return [Observation(arm=f"k={k}", answer=answer, position=float(k)) for k, answer in enumerate(answers)]


def _arms(shape: Shape, options: NoOptions) -> list[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    return [Arm(round(k * per_step), shared_with_chain=True) for k in range(shape.steps + 1)]


PROBE = Probe(
    name="early_answering",
    level="chain",
    needs=frozenset({"answer", "prefill"}),
    options=NoOptions,
    run=early_answering,
    arms=_arms,
    source="Lanham et al. 2023, section 2.3",
)
