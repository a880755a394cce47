"""Paraphrasing: an editor rewords steps 1..k, the rest is resampled. Lanham et al. 2023 (arXiv 2307.13702), 2.6.

Arms "k=1" to "k=n" per chain, condition "paraphrased", at position k, each with a baseline "resample k=1" to "resample
k=n", condition "resampled": the same steps unchanged, and a resampled rest. If the paraphrase does worse than its
baseline, the wording carried information that the meaning does not. The editor never sees the question. Every step is
reworded once. A step that cannot be reworded keeps its words, and a prefix of only such steps is a failed edit.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from cotfaith.schemas.records import Chain, Edit, Observation
from cotfaith.schemas.spec import Section
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.continued import Continued, continued, unedited
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """The number of prefixes that are reworded."""

    max_positions: int | None = Field(default=None, ge=1)
    """The most prefixes per chain, evenly spread; null: after every step, as in the paper."""


def paraphrasing(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Reword the first steps, and ask for the resulting answer and the baseline's."""
    lengths = spread(len(chain.steps), options.max_positions)
    edits = yield from ask.edits("paraphrase", chain.steps[: lengths[-1]])
    beginnings = [_reworded(edits[:k]) for k in lengths]
    usable = [edit.text for edit in beginnings if edit.status is Status.OK]
    ends = iter((yield from continued(ask, [*usable, *(chain.first(k) for k in lengths)])))
    reworded = [
        _observation(f"k={k}", "paraphrased", k, next(ends) if edit.status is Status.OK else unedited(edit), edit)
        for k, edit in zip(lengths, beginnings, strict=True)
    ]
    return [*reworded, *(_observation(f"resample k={k}", "resampled", k, next(ends), None) for k in lengths)]


def _reworded(edits: Sequence[Edit]) -> Edit:
    """Join the edits of steps 1..k; a failure if none of them changed its step."""
    changed = [edit for edit in edits if edit.status is Status.OK]
    first = changed[0] if changed else edits[0]
    seeds = tuple(seed for edit in edits for seed in edit.seeds)
    return replace(first, text="".join(edit.text for edit in edits), seeds=seeds)


def _observation(arm: str, condition: str, kept: int, end: Continued, edit: Edit | None) -> Observation:
    return Observation(
        arm,
        end.answer,
        position=float(kept),
        condition=condition,
        text=end.text,
        n_tokens=end.n_tokens,
        seed=end.seed,
        edit=edit,
    )


def _arms(shape: Shape, options: Options) -> Sequence[Arm]:
    per_step = shape.tokens / max(shape.steps, 1)
    arms, before = [], 0
    for k in spread(shape.steps, options.max_positions):
        rest, new = max(1, shape.tokens - round(k * per_step)), round((k - before) * per_step)
        arms += [Arm(shape.tokens, new + rest, rest, edits=k - before, edited=new), Arm(shape.tokens, rest, rest)]
        before = k
    return arms


PROBE = Probe(
    name="paraphrasing",
    level="chain",
    needs=frozenset({"answer", "generate", "prefill", "editor"}),
    options=Options,
    run=paraphrasing,
    arms=_arms,
    source="Lanham et al. 2023, section 2.6",
)
