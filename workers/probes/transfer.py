"""Transfer: other models answer after the subject's chain. Can they use it, or only its author?

One arm per chain and reader, "reader=ID". The driver runs this probe with the reader's engine, tokenizer and prompts in
place of the subject's; the column ``reader`` names the reader. Only the chain's text is the subject's. The subject
itself is also a reader, the same model in a fresh context, and the other readers are compared with it. A chain that
helps only its author is a sign of encoded reasoning. This probe is not from a paper; it complements the paraphrases of
Lanham et al. 2023 (arXiv 2307.13702).
"""

from cotfaith.schemas.records import Chain, Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun
from cotfaith.workers.shard.ask import Ask


class Options(Section):
    """The choice of the readers."""

    readers: tuple[str, ...] | None = None
    """The ids of the subjects that read the chains of every task; null: the subjects that answer the task."""


def transfer(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask each reader for the answer after the whole chain."""
    (answer,) = yield [ask.answer_with(chain.text)]
    return [Observation(arm=f"reader={ask.templates.model.id}", answer=answer)]


PROBE = Probe(
    name="transfer",
    level="chain",
    needs=frozenset({"answer"}),
    options=Options,
    run=transfer,
    arms=lambda shape, options: [Arm(shape.tokens)],
    source="ours, beside Lanham et al. 2023's paraphrasing",
    readers=True,
)
