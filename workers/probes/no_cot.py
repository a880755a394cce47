"""No chain: the model answers at once. Lanham et al. 2023 (arXiv 2307.13702), section 2.3.

One arm per item and variant, "no_cot". Comparing its answer with the chain's gives raw reliance. Faithfulness is
conditioned on its probability of the gold answer.
"""

from collections.abc import Sequence

from cotfaith.schemas.records import Chain, Observation
from cotfaith.workers.probes.lib.probe import Arm, NoOptions, Probe, ProbeRun
from cotfaith.workers.shard.ask import Ask


def no_cot(chains: Sequence[Chain], ask: Ask, options: NoOptions) -> ProbeRun:
    """Ask for the answer without a chain."""
    (answer,) = yield [ask.answer_without_cot()]
    return [Observation("no_cot", answer, position=0.0)]


PROBE = Probe(
    name="no_cot",
    level="item",
    needs=frozenset({"answer"}),
    options=NoOptions,
    run=no_cot,
    arms=lambda shape, options: [Arm(0)],
    source="Lanham et al. 2023, section 2.3",
    all_variants=True,
)
