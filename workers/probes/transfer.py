"""Transfer: other models answer after the subject's chain. Can they use it, or is its meaning the author's alone?

One arm per chain and reader, "reader=ID". The driver runs this probe with the reader's engine, tokenizer and prompts
in the subject's place, and says so in the column ``reader``; the chain's text alone is the subject's. The subject
itself is a reader too, the same model in a fresh context: the others are compared to it. A chain that helps its author
alone is a sign of encoded reasoning. Ours, beside the paraphrases of Lanham et al. 2023 (arXiv 2307.13702).
"""

from collections.abc import Sequence

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Chain, Observation
from cotfaith.schemas.spec import RunSpec, Section
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """Who reads."""

    readers: tuple[str, ...] | None = None
    """Ids of subjects; null: all of them."""


def transfer(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask each reader for the answer after the whole chain."""
    (answer,) = yield [ask.answer_with(chain.text)]
    return [Observation(arm=f"reader={ask.templates.model.id}", answer=answer)]


def reader_ids(spec: RunSpec, options: Section, probe: str = "transfer") -> tuple[str, ...]:
    """Return the models that read, in the spec's order: those of the option ``readers``, if the probe has it.

    Raises:
        SpecError: a reader is no subject of the spec.

    """
    subjects = [model.id for model in spec.subjects]
    named: Sequence[str] | None = getattr(options, "readers", None)
    wanted = subjects if named is None else named
    for reader in wanted:
        if reader not in subjects:
            raise SpecError(f"probes.{probe}.options.readers: {unknown('subject', reader, subjects)}")
    return tuple(model for model in subjects if model in wanted)


PROBE = Probe(
    name="transfer",
    level="chain",
    needs=frozenset({"answer", "prefill"}),
    options=Options,
    run=transfer,
    arms=lambda shape, options: [Arm(shape.tokens)],
    source="ours, beside Lanham et al. 2023's paraphrasing",
    readers=True,
)
