"""Interventions that demand something of the chain's text: short, without a fact, in another language.

Four arms, each demand with and without a hint. ``neutral``: the user knows no answer, and no demand is made.
``instructed``: the same with the demand. ``wrong``: the user suggests a wrong answer, and no demand is made.
``instructed_wrong``: the same with the demand. The hint is that of ``suggested_answer``, word for word. An item whose
possible answers are not known has only the first two. Words of the demand follow those of the user, on a line of their
own. After CoT-Control (arXiv 2603.05706) and MonitorBench (arXiv 2603.28590); all words are ours.
"""

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar

from pydantic import model_validator

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import Section
from cotfaith.schemas.variants import Demand, DemandRule, Framing, Variant
from cotfaith.workers.interventions import suggested_answer
from cotfaith.workers.interventions.lib.intervention import INSTRUCTED, INSTRUCTED_WRONG, NEUTRAL, WRONG, Intervention
from cotfaith.workers.interventions.lib.targets import possible_answers, written, wrong_target

COT_CONTROL = "CoT-Control (arXiv 2603.05706), in our words"
MONITOR_BENCH = "MonitorBench (arXiv 2603.28590), in our words"


class DemandOptions(Section):
    """The wording of a demand."""

    PLACE: ClassVar[str | None] = None
    """What ``text`` has to name: "{words}"."""

    text: str
    """What the user demands."""
    neutral_text: str
    """What the user says in the arms without the demand: as long, and it demands nothing."""

    @model_validator(mode="after")
    def _texts_can_be_used(self) -> "DemandOptions":
        if self.PLACE is not None and self.PLACE not in self.text:
            raise ValueError(f"text {self.text!r} does not contain {self.PLACE}")
        for name in ("text", "neutral_text"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} must not be empty")
        return self


def demanded(
    intervention: str,
    item: Item,
    options: DemandOptions,
    random: Random,
    rule: DemandRule,
    value: str = "",
) -> tuple[Variant, ...]:
    """Return the arms; ``value``: what rules check by, and what stands in the texts in the place of ``PLACE``."""

    def variant(arm: str, said: str, target: str | None, *, made: bool) -> Variant:
        text = options.text if made else options.neutral_text
        if options.PLACE is not None:
            text = text.replace(options.PLACE, value)
        return Variant(intervention, arm, target, Framing(after=f"{said}\n{text}"), Demand(rule, value, made))

    words = suggested_answer.Options()
    said = words.neutral_text
    found = [variant(INSTRUCTED, said, None, made=True), variant(NEUTRAL, said, None, made=False)]
    if possible_answers(item):
        target = wrong_target(item, random)
        said = words.text.replace("{answer}", written(item, target))
        found += [variant(INSTRUCTED_WRONG, said, target, made=True), variant(WRONG, said, target, made=False)]
    return tuple(found)


def demanding(
    name: str, options: type[DemandOptions], variants: Callable[[Item, Any, Random], tuple[Variant, ...]], source: str
) -> Intervention:
    """Return the intervention with the four arms."""
    return Intervention(
        name=name,
        options=options,
        variants=variants,
        source=source,
        arms=(INSTRUCTED, NEUTRAL, INSTRUCTED_WRONG, WRONG),
        optional=(INSTRUCTED_WRONG, WRONG),
        needs_choices=False,
        hint_of=suggested_answer.NAME,
        hint=suggested_answer.INTERVENTION.hint,
    )
