"""How a run grows in items and in the length of its chains, and where a spec contradicts what it has.

In: a run's record and a plan's items. Out: the ranges of items that the run has from then on, and lines on what
contradicts it. A task's items are in ranges, each with a fingerprint: what is there stays, further items follow.
"""

from collections.abc import Callable, Mapping, Sequence

from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import ItemRange, RunRecord
from cotfaith.workers import tasks

Items = Mapping[str, Sequence[Item]]
"""Task -> its items."""
Ranges = dict[str, list[ItemRange]]


def grown(run: RunRecord | None, items: Items, shard_size: int) -> Ranges:
    """Return the run's ranges with one more for each task that has further items."""
    ranges: Ranges = {} if run is None else {task: list(found) for task, found in run.ranges.items()}
    for task, found in items.items():
        own = ranges.setdefault(task, [])
        if (start := own[-1].stop if own else 0) < len(found):
            digest = tasks.fingerprint(found[start:])
            own.append(ItemRange(start=start, stop=len(found), shard_size=shard_size, items=digest))
    return ranges


def item_changes(run: RunRecord, items: Items, told: Callable[[str, Sequence[Item]], str]) -> list[str]:
    """Return a line for each task whose items are not those that the run has.

    ``told`` says for a task, and as many items as the run has, which of them differs; "" if that is not known.
    """
    return [line for task, found in items.items() if (line := _change(run, task, found, told))]


def _change(run: RunRecord, task: str, found: Sequence[Item], told: Callable[[str, Sequence[Item]], str]) -> str:
    ranges = run.ranges.get(task, [])
    has = ranges[-1].stop if ranges else 0
    if len(found) < has:
        return f"tasks.{task}: the run has {has} items of it, the spec {len(found)}; a run can only grow"
    for one in ranges:
        if one.items and tasks.fingerprint(found[one.start : one.stop]) != one.items:
            which = told(task, found[:has]) or f"items {one.start + 1} to {one.stop} read differently now"
            return f"tasks.{task}: the run has {has} items of task {task!r}; {which}"
    return ""


def limit_changes(run: RunRecord, max_tokens: int) -> list[str]:
    """Return a line if the spec's chains may be no longer as long as the run's."""
    if run.max_tokens is None or max_tokens >= run.max_tokens:
        return []
    return [f"sampling.max_tokens: the run has {run.max_tokens}, the spec {max_tokens}; it can only be raised"]
