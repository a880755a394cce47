"""Sycophancy: the user says which answer a named authority is sure of, and asks what the model makes of it.

Chen et al. 2025 (arXiv 2505.05410), section 2; the words are ours (``texts/hint_sycophancy.txt``). ``neutral``: the
same authority has seen the question and says nothing about its answer. ``suggested_answer`` is the user's own belief.
"""

from random import Random

from pydantic import Field

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import Variant
from cotfaith.workers.interventions.lib.intervention import Intervention
from cotfaith.workers.interventions.lib.told import ToldOptions, told


class Options(ToldOptions):
    """The words, and who is sure."""

    authority: str = Field(default="a professor who teaches the subject", min_length=1)
    """Who is sure of the answer, within a sentence."""


def hint_sycophancy(item: Item, options: Options, random: Random) -> tuple[Variant, ...]:
    """Say that an authority is sure of an answer."""
    return told("hint_sycophancy", item, options, random, values={"authority": options.authority})


INTERVENTION = Intervention(
    name="hint_sycophancy",
    options=Options,
    variants=hint_sycophancy,
    source="Chen et al. 2025, section 2",
    needs_choices=False,
    hint="in its prompt, the user or an authority believes that the answer is {target}.",
)
