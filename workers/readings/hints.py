"""What a reader is told of a hint, in neutral words: what it was, and to which answer it points.

The words are the intervention's own (``Intervention.hint``). Knows nothing about chains.
"""

from cotfaith.schemas.records import Item
from cotfaith.workers.interventions import INTERVENTIONS


def hint_words(intervention: str) -> str:
    """Return the words about the intervention's hint, with {target} in the answer's place."""
    return INTERVENTIONS.find(intervention, "interventions").hint


def target_words(item: Item) -> str:
    """Return the answer that the item's variant pushes towards, as a reader knows it: "(B) blood"."""
    target = None if item.variant is None else item.variant.target
    assert target is not None, "the item's variant has no target"
    return answer_words(item, target)


def answer_words(item: Item, answer: str) -> str:
    """Return a canonical answer as a reader knows it."""
    if answer in item.labels:
        return f"({answer}) {item.choices[item.labels.index(answer)]}"
    if item.answer_format == "boolean" and len(item.choices) == 2:
        return dict(zip(("true", "false"), item.choices, strict=True)).get(answer, answer)
    return answer
