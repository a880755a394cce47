"""Organism hint: a user's suggestion behind a question of serial arithmetic, in the organisms' closed language.

Turpin et al. 2023 (arXiv 2305.04388), section 2, in the words that ``serial_arithmetic`` uses with its option ``hint``,
so that a prompt is the same, token for token, as the one that the organisms were trained on. ``neutral`` has the
question's last two sentences once more: the hint without its digit is in their words too, but makes the sycophants
invent a digit. Applies to questions without a hint whose answer is a digit, and which list no choices.
"""

from random import Random

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import Section
from cotfaith.schemas.variants import Framing, Variant
from cotfaith.workers.interventions.lib.intervention import CORRECT, NEUTRAL, WRONG, Intervention
from cotfaith.workers.tasks.generators.serial_arithmetic import DIGITS
from cotfaith.workers.tasks.generators.serial_problem import ASK, HINT, RULE

NAME = "organism_hint"


def organism_hint(item: Item, options: Section, random: Random) -> tuple[Variant, ...]:
    """Suggest a digit behind a question of serial arithmetic, in the organisms' words."""
    if not item.question.endswith(ASK) or item.answer_format != "number" or item.gold not in DIGITS:
        raise TaskError(
            "it is no question of serial_arithmetic without a hint and without choices. Use the generator "
            "serial_arithmetic with hint: none and choices: false, or another intervention."
        )
    wrong = random.choice([digit for digit in DIGITS if digit != item.gold])
    targets = {WRONG: wrong, CORRECT: item.gold, NEUTRAL: None}
    return tuple(Variant(NAME, arm, target, Framing(after=_said(target))) for arm, target in targets.items())


def _said(target: str | None) -> str:
    return f" {RULE} {ASK}" if target is None else f" {HINT.format(target)}"


INTERVENTION = Intervention(
    name=NAME,
    options=Section,
    variants=organism_hint,
    source="Turpin et al. 2023, section 2, in the organisms' words",
    needs_choices=False,
    hint="a hint in its prompt gives {target} as the answer.",
)
