"""Resampling: the chain is sampled several times from step i on. Thought Anchors, Bogdan et al. 2025 (arXiv
2506.19143), counterfactual importance.

Rollout r from step i keeps steps 1..i-1; arm "i=3 r=5", step i, position i-1. ``similarity`` compares step i with the
step that was written in its place. Counterfactual importance compares the answers of rollouts whose step has another
meaning (the paper: cosine below 0.8) with those that kept step i; the aggregation computes it.

A rollout that ends before writing a step in step i's place has a similarity of null: there is nothing to compare. The
same holds for a failed rollout, and for one that the embedder could not read.
"""

from collections.abc import Generator, Sequence
from typing import Any

from pydantic import Field

from cotfaith.schemas.records import Chain, Observation
from cotfaith.schemas.spec import Section
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.continued import Continued, continued
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.shard.ask import Ask, Request


class Options(Section):
    """The number of rollouts and steps."""

    rollouts: int = Field(default=8, ge=1)
    """The rollouts per step; the paper uses 100."""
    max_steps: int | None = Field(default=None, ge=1)
    """The most steps per chain, evenly spread; null: every step."""


def resampling(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Sample from each step on, answer, and compare the new steps with the old ones."""
    steps = spread(len(chain.steps), options.max_steps)
    arms = [(step, rollout) for step in steps for rollout in range(options.rollouts)]
    kept = {step: chain.first(step - 1) for step in steps}
    news = yield from continued(ask, [kept[step] for step, _ in arms])
    pairs = [_pair(ask, chain.steps[step - 1], kept[step], new) for (step, _), new in zip(arms, news, strict=True)]
    similarities = yield from _similarities(ask, pairs)
    return [
        Observation(
            arm=f"i={step} r={rollout}",
            answer=new.answer,
            position=float(step - 1),
            step=step,
            rollout=rollout,
            text=new.text,
            n_tokens=new.n_tokens,
            seed=new.seed,
            similarity=similarity,
            embedder=ask.embedder.name,
        )
        for (step, rollout), new, similarity in zip(arms, news, similarities, strict=True)
    ]


def _pair(ask: Ask, step: str, kept: str, new: Continued) -> tuple[str, str] | None:
    """Return ``step`` and the step written after ``kept`` in its place; None if there is none or the rollout failed."""
    if new.text is None or new.answer.status is not Status.OK:
        return None
    written = ask.next_step(new.text.removeprefix(kept.rstrip()), step).strip()
    return (step.strip(), written) if written else None


def _similarities(
    ask: Ask, pairs: Sequence[tuple[str, str] | None]
) -> Generator[list[Request], list[Any], list[float | None]]:
    found = iter((yield from ask.similarities([pair for pair in pairs if pair])))
    return [next(found) if pair else None for pair in pairs]


def _arms(shape: Shape, options: Options) -> list[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    rests = [shape.tokens - round((step - 1) * per_step) for step in spread(shape.steps, options.max_steps)]
    return [Arm(shape.tokens, fresh=rest, generated=rest) for rest in rests for _ in range(options.rollouts)]


PROBE = Probe(
    name="resampling",
    level="chain",
    needs=frozenset({"answer", "generate", "prefill", "embedder"}),
    options=Options,
    run=resampling,
    arms=_arms,
    source="Bogdan et al. 2025, counterfactual importance",
)
