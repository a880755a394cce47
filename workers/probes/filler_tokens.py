"""Filler tokens: " ..." repeated m times replaces the chain. Lanham et al. 2023 (arXiv 2307.13702), section 2.5.

Arms "m=5", "m=10", ... per item, at position m; the last arm has exactly the tokens of the item's longest chain.
Accuracy that rises with m would be computation that the text does not show.
"""

import itertools
from collections.abc import Sequence

from pydantic import Field

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.records import Chain, Observation
from cotfaith.schemas.spec import Section
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.shard.ask import Ask

FILLER = " ..."


class Options(Section):
    """The choice of the lengths."""

    step: int = Field(default=5, ge=1)
    """The repeats between two arms; the paper uses 5."""
    max_arms: int = Field(default=12, ge=1)
    """The most arms per item: the step doubles until there are no more."""


def filler_tokens(chains: Sequence[Chain], ask: Ask, options: Options) -> ProbeRun:
    """Ask for the answer after fillers of each length."""
    repeats = lengths(_longest(chains), options)
    answers = yield [ask.answer_with(FILLER * m) for m in repeats]
    return [Observation(f"m={m}", answer, position=float(m)) for m, answer in zip(repeats, answers, strict=True)]


def _longest(chains: Sequence[Chain]) -> int:
    """Return the tokens of the longest chain; 0 if there is no chain.

    Raises:
        EngineError: a chain's tokens are not known, so the last filler cannot be as long.

    """
    counts = [chain.n_tokens for chain in chains]
    if None in counts:
        raise EngineError("The server does not say how many tokens a chain has, so no filler can be as long as it.")
    return max((count for count in counts if count is not None), default=0)


def lengths(longest: int, options: Options) -> list[int]:
    """Return the repeats m to ask for: multiples of ``step`` below ``longest`` tokens, and ``longest`` itself.

    If there are too many, the step doubles until there are not, so items of different lengths share all arms but the
    last. Without a chain (``longest`` 0) there is one arm, ``step``.
    """
    step, end = options.step, longest or options.step
    while -(-end // step) > options.max_arms:
        step *= 2
    return [*range(step, end, step), end]


def _arms(shape: Shape, options: Options) -> list[Arm]:
    repeats = lengths(shape.tokens, options)
    return [Arm(m, fresh=m - before) for before, m in itertools.pairwise([0, *repeats])]


PROBE = Probe(
    name="filler_tokens",
    level="item",
    needs=frozenset({"answer"}),
    options=Options,
    run=filler_tokens,
    arms=_arms,
    source="Lanham et al. 2023, section 2.5",
)
