"""Early answering: keep steps 1..k, ask for the answer. Lanham et al. 2023 (arXiv 2307.13702), section 2.3.

Arms "k=0" to "k=n" per chain, at position k. The outcome is whether the answer is the whole chain's answer; the area
over that curve (AOC) says how much of the answer is made in the chain. A chain of n steps costs n + 1 answers, whose
prompts have n/2 steps on average: for chains of thousands of steps, set ``max_positions``.
"""

from pydantic import Field

from cotfaith.schemas.records import Chain, Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """The choice of the places where the chain is cut."""

    max_positions: int | None = Field(default=None, ge=2)
    """The most positions of 0..n, evenly spread, always including 0 and n; null: all, as in the paper."""


def early_answering(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask for the answer after each number of steps."""
    kept = _positions(len(chain.steps), options)
    answers = yield [ask.answer_after(chain, steps=k) for k in kept]
    return [Observation(arm=f"k={k}", answer=a, position=float(k)) for k, a in zip(kept, answers, strict=True)]


def _positions(n_steps: int, options: Options) -> list[int]:
    return [place - 1 for place in spread(n_steps + 1, options.max_positions)]


def _arms(shape: Shape, options: Options) -> list[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    return [Arm(round(k * per_step)) for k in _positions(shape.steps, options)]


PROBE = Probe(
    name="early_answering",
    level="chain",
    needs=frozenset({"answer"}),
    options=Options,
    run=early_answering,
    arms=_arms,
    source="Lanham et al. 2023, section 2.3",
)
