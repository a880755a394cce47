"""What the plan says of tokenizers: questions that a model does not get to see as they are written.

In: the subjects and their items. Out: a line for each model and task. Tokenizers without bytes know no emoji, no
Chinese, no line break; some lower the case. What they drop is not in the prompt, whatever the item says.
"""

from collections.abc import Iterable, Mapping, Sequence

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.text.templates import question_text


def tokenizer_notes(subjects: Iterable[ModelSpec], items_of: Mapping[str, Sequence[Item]]) -> list[str]:
    """Return a line for each subject and task in which some question is not read as it is written."""
    lines = []
    for model in subjects:
        codec = load_codec(model)
        for name, items in items_of.items():
            lost = [(item.id, piece) for item in items if (piece := codec.unreadable(question_text(item))) is not None]
            if lost:
                first, piece = lost[0]
                lines.append(
                    f"{model.id} on {name}: its tokenizer changes or drops characters of {len(lost)} of {len(items)} "
                    f"questions, which the model thus reads otherwise (first: {first}, near {piece!r})."
                )
    return lines
