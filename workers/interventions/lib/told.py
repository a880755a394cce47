"""Interventions that tell an answer in words: a text around the question, or in an earlier turn.

Arms: ``neutral`` (the same text without an answer), ``correct``, ``wrong``. The words are in a file (``parts``). The
package's two texts of a place are about as long: with the answer "(A)" they differ by at most a tenth in characters.
"""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import Section
from cotfaith.schemas.variants import Framing, Turn, Variant
from cotfaith.workers.interventions.lib.intervention import CORRECT, NEUTRAL, WRONG
from cotfaith.workers.interventions.lib.parts import ANSWER, Parts, find_parts
from cotfaith.workers.interventions.lib.shown import PROSE, Show, Style, shown
from cotfaith.workers.interventions.lib.targets import wrong_target
from cotfaith.workers.text.answers import canonical_gold
from cotfaith.workers.text.questions import question_text


class ToldOptions(Section):
    """Settings of every intervention that tells an answer in words."""

    text: str | None = None
    """A file (also s3:// or hf://) with the texts, in parts as in docs/hints.md, or these texts themselves; null: the
    package's.
    """
    show: Show = "label"
    """How a choice is told: its label, its text, or both. Neutral is as long as a hint with a label."""


def told(
    intervention: str,
    item: Item,
    options: ToldOptions,
    random: Random,
    style: Style = PROSE,
    values: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Variant, ...]:
    """Return the arms of an intervention; ``values``: what fills its places besides {answer}."""
    parts = find_parts(intervention, options.text, values.keys())
    targets = {WRONG: wrong_target(item, random), CORRECT: canonical_gold(item), NEUTRAL: None}
    return tuple(
        Variant(intervention, arm, target, _framing(item, parts, {**values, **_answer(item, target, options, style)}))
        for arm, target in targets.items()
    )


def _answer(item: Item, target: str | None, options: ToldOptions, style: Style) -> dict[str, str]:
    return {} if target is None else {ANSWER: shown(item, target, options.show, style)}


def _framing(item: Item, parts: Parts, values: Mapping[str, str]) -> Framing:
    texts = parts.filled("hint" if ANSWER in values else "neutral", values)
    turns = (Turn("user", question_text(item)), Turn("assistant", texts["assistant"])) if "assistant" in texts else ()
    return Framing(turns, texts.get("before", ""), texts.get("after", ""))
