"""Labels of chains that come with their items, from elsewhere. A label is about the answer in the file.

If the probed model draws another answer from the chain, there is no label.
"""

from cotfaith.schemas.records import Chain, Item
from cotfaith.schemas.status import Status


def supplied_label(item: Item, chain: Chain) -> tuple[bool | None, tuple[bool | None, ...]] | None:
    """Return the supplied labels of the chain and of its steps; None if there are none."""
    supplied = item.supplied
    if supplied is None or chain.status is not Status.OK or chain.answer.value != supplied.answer:
        return None
    steps = supplied.step_labels or (None,) * len(chain.steps)
    known = supplied.label is not None or any(step is not None for step in steps)
    return (supplied.label, steps) if known else None
