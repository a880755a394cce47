"""A worked example whose right choice is (A): that choice and the first one change places.

Turpin et al. 2023 (arXiv 2305.04388) reorder all their examples in this way. Labels in the chain move with the choices:
"(A)" and the old gold's "(C)" change places. Labels that are written in another way ("option C") are refused, since
nothing tells for certain which of the chain's letters are labels.
"""

import re
from dataclasses import replace

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item

FIRST = CHOICE_LABELS[0]
_LABEL = re.compile(r"\(([A-Z])\)")
_OTHERWISE = re.compile(r"\b(?i:option|choice|answer|answer is|answer:) \**([A-Z])\b(?!')")


def with_gold_first(example: Item) -> Item:
    """Return the example with its right choice at (A).

    Raises:
        TaskError: its chain names choices otherwise than as "(B)".

    """
    if example.gold == FIRST:
        return example
    places = list(range(len(example.choices)))
    gold = CHOICE_LABELS.index(example.gold)
    places[0], places[gold] = gold, 0
    moved = {FIRST: example.gold, example.gold: FIRST}
    choices = tuple(example.choices[place] for place in places)
    return _relabelled(replace(example, choices=choices, gold=FIRST), moved)


def _relabelled(example: Item, moved: dict[str, str]) -> Item:
    if example.supplied is None:
        return example
    chain = "".join(example.supplied.steps)
    if named := next((found for found in _OTHERWISE.finditer(chain) if found[1] in moved), None):
        raise TaskError(
            f"the example {example.id!r} cannot be reordered: its chain says {named[0]!r}. Write its labels as "
            f"({named[1]})."
        )
    steps = tuple(_moved(step, moved) for step in example.supplied.steps)
    return replace(example, supplied=replace(example.supplied, steps=steps))


def _moved(step: str, moved: dict[str, str]) -> str:
    return _LABEL.sub(lambda found: f"({moved.get(found[1], found[1])})", step)
