"""Answer always A: in all worked examples the right choice is (A), whatever the item's own is.

Turpin et al. 2023 (arXiv 2305.04388), section 2. The arm ``biased`` has the target A on every item, also on those whose
gold is A ("consistent" items; the others are "contradicting"). ``neutral``: the same examples with their choices in
their own order. The examples are turns made from a file, or the user's own two texts before the question, such as those
that the paper published.
"""

import functools
import json
from random import Random

from pydantic import model_validator

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import FewShotSpec, Section
from cotfaith.schemas.variants import Framing, Variant
from cotfaith.workers.interventions.lib.examples import examples_for, turns_of
from cotfaith.workers.interventions.lib.intervention import NEUTRAL, Intervention
from cotfaith.workers.interventions.lib.relabelled import FIRST, with_gold_first
from cotfaith.workers.interventions.lib.versions import Version, version_of

NAME, BIASED = "answer_always_a", "biased"
_PROMPTS = f"interventions.{NAME}.prompts"


class PromptFile(Section):
    """A JSON object with the two texts, with the examples as they are to be shown."""

    file: str
    """The file (also s3:// or hf://)."""
    neutral: str = "baseline_few_shot_prompt"
    """The key of the text whose right choices vary. The defaults are the names in the paper's files."""
    biased: str = "all_a_few_shot_prompt"
    """The key of the text whose right choice is always (A)."""


class Options(Section):
    """Where the examples come from: ``examples`` or ``prompts``."""

    examples: FewShotSpec | None = None
    """The worked examples: a file, how many (k), and its columns, as in a task's few_shot."""
    prompts: PromptFile | None = None
    """The user's own texts."""

    @model_validator(mode="after")
    def _one_source(self) -> "Options":
        if (self.examples is None) == (self.prompts is None):
            raise ValueError("expected either examples or prompts")
        return self


def answer_always_a(item: Item, options: Options, random: Random) -> tuple[Variant, ...]:
    """Show worked examples whose right choice is always (A)."""
    if options.examples is None:
        assert options.prompts is not None, "checked by the options"
        neutral, biased = _told(item, options.prompts)
    else:
        neutral, biased = _shown(item, options.examples)
    return Variant(NAME, BIASED, FIRST, biased), Variant(NAME, NEUTRAL, framing=neutral)


def _shown(item: Item, few: FewShotSpec) -> tuple[Framing, Framing]:
    """Return the neutral framing and the biased one, as earlier turns."""
    examples = examples_for(NAME, item, few)
    return Framing(turns_of(examples)), Framing(turns_of([with_gold_first(one) for one in examples]))


def _told(item: Item, source: PromptFile) -> tuple[Framing, Framing]:
    """Return the neutral framing and the biased one, as the user's texts before the question."""
    texts = _texts(version_of(source.file, _PROMPTS), source.neutral, source.biased)
    if any(all(part in text for part in (item.question, *item.choices)) for text in texts):
        raise TaskError(
            f"its question and choices are among the examples of {source.file}. Remove it from one of them."
        )
    neutral, biased = texts
    return Framing(before=neutral), Framing(before=biased)


@functools.lru_cache(maxsize=16)
def _texts(file: Version, *keys: str) -> tuple[str, ...]:
    try:
        found = json.loads(file.path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SpecError(f"{_PROMPTS}: expected a JSON object with two texts, got {str(file.path)!r}: {error}") from None
    for key in keys:
        text = found.get(key) if isinstance(found, dict) else None
        if not isinstance(text, str) or not text.strip():
            known = ", ".join(found) if isinstance(found, dict) else f"a {type(found).__name__}"
            raise SpecError(f"{_PROMPTS}: {str(file.path)!r} has no text under {key!r}; it has {known}.")
    return tuple(found[key].strip() for key in keys)


INTERVENTION = Intervention(
    name=NAME,
    options=Options,
    variants=answer_always_a,
    source="Turpin et al. 2023, section 2",
    arms=(BIASED, NEUTRAL),
    hint="in the worked examples of its prompt, the right answer was always the first option, which here "
    "points to {target}.",
)
