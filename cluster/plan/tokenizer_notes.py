"""The plan's notes on tokenizers: questions that a model does not see as they are written.

In: a spec whose names are resolved, and its items. Out: a line for each model and task. Tokenizers without byte tokens
can lack emoji, Chinese or line breaks; some change text to lower case. Characters that they drop are not in the prompt.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.resolved import Resolved
from cotfaith.workers.text.questions import earlier_turns, framed_text


def tokenizer_notes(resolved: Resolved, items_of: Mapping[str, Sequence[Item]]) -> list[str]:
    """Return a line for each subject and task of its own with a question that is not read as it is written."""
    asked = [(model, name) for model in resolved.subjects for name in items_of if resolved.sees(model.spec.id, name)]
    found = [
        _note(model, name, variant, resolved.under(variant, name, items_of[name]))
        for (model, name), variant in product(asked, resolved.variants)
    ]
    return [line for line in found if line]


def _note(model: ResolvedModel, task: str, variant: str, items: Sequence[Item]) -> str:
    unreadable = model.codec.unreadable
    lost = [(item.id, piece) for item in items if (piece := unreadable(_text(item))) is not None]
    if not lost:
        return ""
    first, piece = lost[0]
    under = "" if variant == PLAIN else f" under {variant}"
    return (
        f"{model.spec.id} on {task}{under}: its tokenizer changes or drops characters of {len(lost)} of {len(items)} "
        f"questions, so the model reads other texts (first: {first}, near {piece!r})."
    )


def _text(item: Item) -> str:
    return "\n\n".join([*(turn.text for turn in earlier_turns(item)), framed_text(item)])
