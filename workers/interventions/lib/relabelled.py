"""A worked example whose right choice is (A): that choice and the first one change places.

Turpin et al. 2023 (arXiv 2305.04388) reorder all their examples in this way. Labels in the chain move with the choices:
"(A)" and the old gold's "(C)" change places. Labels that are written in another way ("option C") are refused, since
nothing tells for certain which of the chain's letters are labels.
"""

import re
from dataclasses import replace

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.workers.tasks.few_shot import Example

FIRST = CHOICE_LABELS[0]
_LABEL = re.compile(r"\(([A-Z])\)")
_OTHERWISE = re.compile(r"\b(?i:option|choice|answer|answer is|answer:) \**([A-Z])\b(?!')")


def with_gold_first(example: Example) -> Example:
    """Return the example with its right choice at (A).

    Raises:
        TaskError: its chain names choices otherwise than as "(B)".

    """
    item = example.item
    if item.gold == FIRST:
        return example
    return Example(_reordered(item), _relabelled(example, {FIRST: item.gold, item.gold: FIRST}))


def _reordered(item: Item) -> Item:
    places = list(range(len(item.choices)))
    gold = CHOICE_LABELS.index(item.gold)
    places[0], places[gold] = gold, 0
    return replace(item, choices=tuple(item.choices[place] for place in places), gold=FIRST)


def _relabelled(example: Example, moved: dict[str, str]) -> str | None:
    if example.chain is None:
        return None
    if named := next((found for found in _OTHERWISE.finditer(example.chain) if found[1] in moved), None):
        raise TaskError(
            f"the example {example.item.question[:60]!r} cannot be reordered: its chain says {named[0]!r}. Write its "
            f"labels as ({named[1]})."
        )
    return _LABEL.sub(lambda found: f"({moved.get(found[1], found[1])})", example.chain)
