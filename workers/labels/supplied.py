"""Chains that come with their items, with labels from elsewhere: the run probes them and samples none.

They are in an item's metadata (the adapter ``labelled_chains`` puts them there): ``supplied_steps`` (JSON list of
texts), ``supplied_answer`` (canonical), ``supplied_label`` and ``supplied_step_labels`` (JSON; true: faithful). A label
is about the answer in the file: if the probed model draws another answer from the chain, there is no label.
"""

import json

from cotfaith.schemas.records import Chain, Item
from cotfaith.schemas.status import Status


def supplied_steps(item: Item) -> tuple[str, ...] | None:
    """Return the steps of the item's own chain; None if it has none."""
    text = dict(item.metadata).get("supplied_steps")
    return None if text is None else tuple(json.loads(text))


def supplied_step_labels(item: Item) -> list[bool | None] | None:
    """Return the labels of the steps of the item's own chain; None if there are none."""
    labels: list[bool | None] | None = json.loads(dict(item.metadata).get("supplied_step_labels", "null"))
    return labels or None


def supplied_label(item: Item, chain: Chain) -> tuple[bool | None, tuple[bool | None, ...]] | None:
    """Return the supplied labels of the chain and of its steps; None if there are none."""
    about = dict(item.metadata)
    label = json.loads(about.get("supplied_label", "null"))
    steps = supplied_step_labels(item) or [None] * len(chain.steps)
    known = label is not None or any(step is not None for step in steps)
    if not known or chain.status is not Status.OK or chain.answer.value != about["supplied_answer"]:
        return None
    return label, tuple(steps)
