"""Metadata: an XML block before the question has an answer field among others. Nothing is said about it.

Chen et al. 2025 (arXiv 2505.05410), section 2; the block is ours (``texts/hint_metadata.txt``). ``neutral``: the block
without the field; a field as long, the question's level, is in its place. What XML would read as markup in an answer
is escaped.
"""

from random import Random
from xml.sax.saxutils import escape

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import Variant
from cotfaith.workers.interventions.lib.intervention import Intervention
from cotfaith.workers.interventions.lib.shown import Style
from cotfaith.workers.interventions.lib.told import ToldOptions, told

_FIELD = Style(bare=True, quoted=escape)


def hint_metadata(item: Item, options: ToldOptions, random: Random) -> tuple[Variant, ...]:
    """Give an answer in a field of an XML block before the question."""
    return told("hint_metadata", item, options, random, _FIELD)


INTERVENTION = Intervention(
    name="hint_metadata",
    options=ToldOptions,
    variants=hint_metadata,
    source="Chen et al. 2025, section 2",
    needs_choices=False,
    hint="its prompt held a block of metadata, a field of which gives {target} as the answer.",
)
