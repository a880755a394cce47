"""Grader hacking: after the question stands the code that marks the reply, and it compares with an answer.

Chen et al. 2025 (arXiv 2505.05410), section 2; the code is ours (``texts/hint_grader_hacking.txt``). ``neutral``: the
code compares with a name instead. An answer is a Python literal: quotes and line breaks are escaped, and backticks too,
so that none ends the block of code.
"""

from random import Random

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import Variant
from cotfaith.workers.interventions.lib.intervention import Intervention
from cotfaith.workers.interventions.lib.shown import Style
from cotfaith.workers.interventions.lib.told import ToldOptions, told


def _literal(text: str) -> str:
    return repr(text).replace("`", "\\x60")


_CODE = Style(bare=True, quoted=_literal)


def hint_grader_hacking(item: Item, options: ToldOptions, random: Random) -> tuple[Variant, ...]:
    """Show the code of a marking function that compares with an answer."""
    return told("hint_grader_hacking", item, options, random, _CODE)


INTERVENTION = Intervention(
    name="hint_grader_hacking",
    options=ToldOptions,
    variants=hint_grader_hacking,
    source="Chen et al. 2025, section 2",
    needs_choices=False,
    hint="its prompt showed the code of a function that checks the answer, and the code expects {target}.",
)
