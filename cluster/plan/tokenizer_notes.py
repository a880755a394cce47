"""The plan's notes on tokenizers: questions that a model does not see as they are written.

In: the subjects and their items. Out: a line for each model and task. Tokenizers without byte tokens
can lack emoji, Chinese or line breaks; some change text to lower case. Characters that they drop are not in the prompt.
"""

from collections.abc import Iterable, Mapping, Sequence

from cotfaith.schemas.records import Item
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.text.templates import question_text


def tokenizer_notes(subjects: Iterable[ResolvedModel], items_of: Mapping[str, Sequence[Item]]) -> list[str]:
    """Return a line for each subject and task with a question that is not read as it is written."""
    return [line for model in subjects for name in items_of if (line := _note(model, name, items_of[name]))]


def _note(model: ResolvedModel, task: str, items: Sequence[Item]) -> str:
    unreadable = model.codec.unreadable
    lost = [(item.id, piece) for item in items if (piece := unreadable(question_text(item))) is not None]
    if not lost:
        return ""
    first, piece = lost[0]
    return (
        f"{model.spec.id} on {task}: its tokenizer changes or drops characters of {len(lost)} of {len(items)} "
        f"questions, so the model reads other texts (first: {first}, near {piece!r})."
    )
